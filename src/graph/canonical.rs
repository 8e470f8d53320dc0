//! x
/// x
pub fn canonical_text(g: &super::Graph) -> String {
    super::text::print(g)
}
