block choose(x[..]) = x
