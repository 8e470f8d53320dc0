block choose(x[..]) = x //~ E0106 "`choose` is a keyword and cannot be a name"
