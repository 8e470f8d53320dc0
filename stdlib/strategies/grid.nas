// Every candidate of a finite space, in order.
strategy grid() {
  for c in begin().all() { submit(c) }
  for _ in results() {}
}
