//@ snapshot
use std.ops.*

block tree(x[..], depth: int) = x >> relu >> tree(depth - 1) //~ E0308 "`tree` calls itself on every path and never ends"

block ping(x[..], depth: int) = x >> pong(depth) //~ E0308 "`ping` calls itself through `pong` on every path and never ends"
block pong(x[..], depth: int) {
  let y = x >> relu
  y >> ping(depth - 1)
}

fn count(n: int) -> int = count(n - 1) + 1 //~ E0308 "`count` calls itself on every path and never ends"
block uses_count(x[..]) = x >> conv(count(3), 3)

// Ends.
block fine(x[..], depth: int) {
  if depth == 0 { return x }
  x >> relu >> fine(depth - 1)
}
block fine_too(x[..], depth: int) = x >> choose { stop: relu | go: (if depth == 0 { relu } else { fine_too(depth - 1) }) }
