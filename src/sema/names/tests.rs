use super::*;

fn shown(program: &Program, found: &[Diagnostic]) -> String {
    let lines: Vec<String> = found
        .iter()
        .map(|d| {
            let span = d.labels[0].span;
            let (line, col) = program.sources.line_col(span.file, span.start);
            format!("{}:{line}:{col} {} {}", program.sources.get(span.file).name, d.code.id, d.message)
        })
        .collect();
    lines.join("\n")
}

#[test]
fn the_standard_library_is_clean() {
    for name in crate::sema::stdlib::names() {
        let text = crate::sema::stdlib::text(&name).expect("an embedded module");
        let (program, errors) = Program::load(&name, text, None);
        assert!(errors.is_empty(), "{errors:#?}");
        let found = check(&program, program.root());
        assert!(found.is_empty(), "{}", shown(&program, &found));
    }
}
