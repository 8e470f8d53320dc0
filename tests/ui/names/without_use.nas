space s(image[N, C, H, W], classes: int) {
  image >> conv(16, 3) >> global_avg_pool >> linear(classes) //~ E0203 "there is no `conv` here" //~ E0203 "there is no `global_avg_pool` here" //~ E0203 "there is no `linear` here"
}
