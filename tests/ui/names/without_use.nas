space s(image[N, C, H, W], classes: int) {
  image >> conv(16, 3) >> global_avg_pool >> linear(classes)
}
