//! `nasc sample`: random candidates.

use std::path::Path;

use super::load;
use super::term::{Outcome, Terminal, Trouble, has_errors, say};
use super::{OK, SampleArgs};
use crate::base::rng::Stream;
use crate::report::network;
use crate::search::setup::{Overrides, Search};
use crate::space::BuildError;

/// `nasc sample`
pub fn command(term: &Terminal, args: &SampleArgs) -> Outcome {
    let file = args.file.clone().map_or_else(load::only_file, Ok)?;
    let loaded = load::load(&file)?;
    let program = &loaded.program;
    if has_errors(&loaded.diagnostics) {
        return Err(Trouble::new(loaded.diagnostics.clone(), &program.sources));
    }
    let item = load::pick_search(program, args.search.as_deref())?;
    let (search, _) = Search::new(program, item, &loaded.base, &Overrides::default())
        .map_err(|errors| Trouble::new(errors, &program.sources))?;
    let mut rng = Stream::new(args.seed, "sample");
    let mut last = None;
    for _ in 0..args.number {
        let c = search
            .space
            .random(&mut rng)
            .map_err(|e: BuildError| Trouble::new(vec![e.diagnostic()], &program.sources))?;
        if args.svg.as_deref() != Some(Path::new("-")) {
            term.out(&format!("{}\n", c.to_json()));
        }
        last = Some(c);
    }
    if let (Some(path), Some(c)) = (&args.svg, &last) {
        let title = format!("{}, a random candidate", search.name);
        let text = network::picture(&search.space, c, &title).map_err(|d| Trouble::new(vec![d], &program.sources))?;
        if path == Path::new("-") {
            term.out(&text);
        } else {
            load::write(path, text.as_bytes())?;
            say(&format!("wrote {}", path.display()));
        }
    }
    Ok(OK)
}
