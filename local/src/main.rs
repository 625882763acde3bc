//! The `local` binary. Everything it does is in the library; read `cli.rs` next.

fn main() -> std::process::ExitCode {
    local::cli::main()
}
