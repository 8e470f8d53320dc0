primitive scale(x[N, C]) -> y[N, C] {
  param weight[C] = 1
  y[n, c] = x[n, c] * wieght[c] //~ E0601 "unknown tensor `wieght`"
}
