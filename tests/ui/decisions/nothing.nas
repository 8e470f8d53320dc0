use std.ops.*

space s(image[N, C, H, W], classes: int) {
  let xs = [image >> conv(8, 3), image >> conv(8, 5)]
  let some = choose some 0.. from xs
  let three = choose three 3 from xs //~ E0503 "3 elements cannot be chosen from 2"
  let number = choose number in 8..2 //~ E0503 "this range has no numbers to choose from"
  let none_of = choose none_of from xs[2..] //~ E0503 "there is nothing to choose from"
  sum(some) + sum(three) + (none_of >> conv(number, 3)) >> global_avg_pool >> linear(classes) //~ E0503 "a sum of no tensors"
}
