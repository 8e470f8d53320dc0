primitive f(x[N, C, H, W]) -> y[N, C] {
  y[n, c] = x[n, c, 0]
}
