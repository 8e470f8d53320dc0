// Brackets in brackets: time must stay linear in them.
use std.ops.*

block deep(x[..], c: int) = ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((x >> (choose op { relu | (choose op { relu | (choose op { relu | (choose op { relu | (choose op { relu | (choose op { relu | (choose op { relu | (choose op { relu | tanh }) }) }) }) }) }) }) })))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))
