//! Runs cloud-init's own check of user-data, `cloud-init schema -c`. Checks many files in one process, because Python's
//! start takes most of the time.

use std::path::PathBuf;
use std::process::Command;

use super::{PYTHON, need, need_python_module, run};

const SCRIPT: &str = r#"
import contextlib, io, json, sys
from cloudinit.cmd.main import main
for path in sys.argv[1:]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            status = main(["cloud-init", "schema", "-c", path])
        except SystemExit as end:
            status = end.code
    print(json.dumps({"valid": status in (None, 0), "said": said.getvalue()}))
"#;

/// Whether cloud-init is installed, both as a program and as a Python module.
pub fn is_here() -> bool {
    need("cloud-init") && need_python_module("cloudinit")
}

/// Checks each file. Returns whether cloud-init accepts it as a cloud-config, and cloud-init's message.
pub fn schema(files: &[PathBuf]) -> Vec<(bool, String)> {
    let output = run(Command::new(PYTHON).args(["-c", SCRIPT]).args(files));
    let judged: Vec<(bool, String)> = serde_json::Deserializer::from_slice(&output.stdout)
        .into_iter::<serde_json::Value>()
        .map(|line| line.unwrap())
        .map(|line| (line["valid"].as_bool().unwrap(), line["said"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(judged.len(), files.len());
    judged
}
