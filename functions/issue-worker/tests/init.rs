//! The binary as Lambda starts it, with a variable missing: it ends at init, and says which one.

#[cfg(test)]
mod tests {
    use std::process::Command;

    #[test]
    fn a_function_without_one_of_its_variables_ends_and_names_it() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_issue-worker"));
        command.env_clear().env("COUPONS_TABLE", "coupons").env("USER_COUPONS_TABLE", "user-coupons");
        command.env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9").env("REQUEST_TOPIC", "requests");
        let output = command.output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        assert_eq!(output.status.code(), Some(1), "{printed}");
        let named = "issue-worker cannot start: RESULT_TOPIC is not set: it takes the name of the topic of results";
        assert!(printed.contains(named), "{printed}");
    }
}
