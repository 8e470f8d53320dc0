//! The `nasc` command; everything is in the library.

fn main() -> std::process::ExitCode {
    nasc::cli::main()
}
