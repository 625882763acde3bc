//! The command on machines that have nothing but what a test gives them: programs that only say how they were called.

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::{Command, Output};

    use tempfile::TempDir;

    /// What `local/check.sh` looks for.
    const NEEDED: [&str; 6] = ["cargo", "cc", "c++", "make", "bash", "perl"];
    /// Says how it was called, and what it was told of a package.
    const CARGO: &str = "echo \"$@\"; echo \"[$CARGO_PKG_NAME$CARGO_MANIFEST_DIR$COLOUR]\"; exit 7";

    /// A machine whose PATH is one directory.
    struct Machine(TempDir);

    impl Machine {
        fn with(programs: &[&str]) -> Self {
            let machine = Self(tempfile::tempdir().unwrap());
            symlink("/bin/sh", machine.0.path().join("sh")).unwrap();
            for program in programs {
                machine.install(program, if *program == "cargo" { CARGO } else { "exit 0" });
            }
            machine
        }

        fn install(&self, program: &str, script: &str) {
            let path = self.0.path().join(program);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }

        /// `cargo local demo --users 5`, as cargo would start it.
        fn starts(&self) -> Output {
            let mut command = Command::new(env!("CARGO_BIN_EXE_start"));
            command.args(["demo", "--users", "5"]).env("PATH", self.0.path()).env("COLOUR", "kept");
            command.env("CARGO_PKG_NAME", "start").env("CARGO_MANIFEST_DIR", "/").env_remove("CARGO");
            command.env_remove("CC").env_remove("CXX").output().unwrap()
        }
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_machine_with_everything_runs_local_in_its_place() {
        let output = Machine::with(&NEEDED).starts();
        assert_eq!(text(&output.stdout), "run --bin local -- demo --users 5\n[kept]\n");
        // The other command's test may want it, and the build does not.
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(7), ""));
    }

    #[test]
    fn what_a_machine_lacks_is_said_before_anything_is_built() {
        for (lacking, package) in [
            ("cc", "build-essential"),
            ("c++", "build-essential"),
            ("make", "build-essential"),
            ("bash", "bash"),
            ("perl", "perl"),
        ] {
            let rest: Vec<&str> = NEEDED.into_iter().filter(|program| *program != lacking).collect();
            let output = Machine::with(&rest).starts();
            let said = text(&output.stderr);
            assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{lacking}: {said}");
            let first = format!("missing: {lacking} (");
            assert!(said.starts_with(&first) && said.contains(&format!("apt-get install {package}\n")), "{said}");
            assert!(said.ends_with("`sh local/check.sh` looks again\n"), "{said}");
        }
    }

    #[test]
    fn a_perl_without_its_modules_is_not_enough() {
        let machine = Machine::with(&NEEDED);
        machine.install("perl", "exit 2");
        let output = machine.starts();
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("perl's standard modules"), "{output:?}");
    }
}
