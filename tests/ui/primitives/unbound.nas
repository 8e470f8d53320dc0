//@ snapshot
primitive shift(x[N, C]) -> y[N, C] {
  y[n, c] = x[n, c + k]
}
primitive of_nothing(x[N, C]) -> y[N, D] {
  y[n, d] = x[n, d]
}
