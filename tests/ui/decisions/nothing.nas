use std.ops.*

space s(image[N, C, H, W], classes: int) {
  let xs = [image >> conv(8, 3), image >> conv(8, 5)]
  let some = choose some 0.. from xs
  let three = choose three 3 from xs
  let number = choose number in 8..2
  let none_of = choose none_of from xs[2..]
  sum(some) + sum(three) + (none_of >> conv(number, 3)) >> global_avg_pool >> linear(classes)
}
