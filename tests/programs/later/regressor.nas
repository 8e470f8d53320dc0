// Topologies are another kind of space, which this version does not have.
space controller = topology(inputs = 6, outputs = 1)

search poles {
  data  = digits()
  space = controller //~ E0801 "needs spaces of topologies"
}
