primitive total(x[N, C]) -> y[N] {
  y[n] = sum[k] 2 * x[n, 0]
}
