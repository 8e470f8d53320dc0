//! x
/// x
pub fn fuse(_: &mut super::Graph) {}
