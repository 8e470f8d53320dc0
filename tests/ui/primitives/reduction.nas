primitive total(x[N, C]) -> y[N] {
  y[n] = sum[k] 2 * x[n, 0] //~ E0603 "the index `k` does not occur in what is reduced"
}
