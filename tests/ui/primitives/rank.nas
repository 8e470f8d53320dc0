primitive f(x[N, C, H, W]) -> y[N, C] {
  y[n, c] = x[n, c, 0] //~ E0606 "`x` has 4 indices, but 3 indices stand here"
}
