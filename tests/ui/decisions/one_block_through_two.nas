use std.ops.*

block act(x[..]) = x >> choose act { relu | tanh } //~ E0501 "the decision `act` is made twice"
block first(x[..]) = x >> conv(8, 3) >> act
block second(x[..]) = x >> conv(8, 5) >> act

space s(image[N, C, H, W], classes: int) = image >> first >> second >> global_avg_pool >> linear(classes)
