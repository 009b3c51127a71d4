//! The proxy through which the host reaches package repositories and registries.

use serde_json::{Map, Value};

use super::Field;
use super::check::{self, Check};
use crate::diag::{Code, Diagnostic};
use crate::spec::{Spec, Word};

/// A proxy, for the downloads of the host's setup and for dockerd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Without a final `/`.
    pub url: String,
    /// Hosts, domains, addresses and networks that are reached without the proxy.
    pub exceptions: Vec<String>,
}

impl Proxy {
    /// The variables of dockerd's environment, `NAME=value` (Docker, "Daemon proxy configuration").
    pub fn variables(&self) -> Vec<String> {
        let mut variables = vec![format!("HTTP_PROXY={}", self.url), format!("HTTPS_PROXY={}", self.url)];
        if !self.exceptions.is_empty() {
            variables.push(format!("NO_PROXY={}", self.exceptions.join(",")));
        }
        variables
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        vec![Field::One("proxy", self.url.clone()), Field::Many("no-proxy", self.exceptions.clone())]
    }
}

pub(super) fn proxy(check: &mut Check, spec: &Spec) -> Option<Proxy> {
    let url = check.one("proxy", &spec.host.proxy, check::base_url);
    let lists = check.many("no-proxy", &spec.host.no_proxy, exceptions);
    if let (None, Some(word)) = (&spec.host.proxy, spec.host.no_proxy.first()) {
        let complaint = Diagnostic::error(Code::NoEffect, "has no effect without `proxy`");
        check.complain("no-proxy", Some(word), complaint);
    }
    if spec.host.proxy.is_some() {
        refuse_conflicts(check, spec);
    }
    let url = url?;
    let mut exceptions = Vec::new();
    for exception in lists.into_iter().flatten() {
        if !exceptions.contains(&exception) {
            exceptions.push(exception);
        }
    }
    Some(Proxy { url, exceptions })
}

/// Refuses other options that set the proxy's variables or flags of dockerd.
fn refuse_conflicts(check: &mut Check, spec: &Spec) {
    let mut refuse = |field, word: &Word, name: &str| {
        let text = format!("must not set `{name}` together with `proxy`, which sets it");
        check.complain(
            field,
            Some(word),
            Diagnostic::error(Code::ConflictingValues, text).hint("remove one of them"),
        );
    };
    let name = |word: &Word| word.text.split('=').next().unwrap_or_default().to_owned();
    for word in &spec.host.engine_env {
        let name = name(word);
        if ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].iter().any(|ours| ours.eq_ignore_ascii_case(&name)) {
            refuse("engine-env", word, &name);
        }
    }
    for word in &spec.host.engine_opts {
        let name = name(word);
        if matches!(&*name, "http-proxy" | "https-proxy" | "no-proxy") {
            refuse("engine-opt", word, &name);
        }
    }
    if let Some(word) = &spec.host.daemon_json
        && serde_json::from_str::<Map<String, Value>>(&word.text)
            .is_ok_and(|json| json.contains_key("proxies"))
    {
        refuse("daemon-json", word, "proxies");
    }
}

/// Reads a list with commas: host names, domains (`.example.com`), addresses, networks, each with an optional port, or `*`
/// (golang.org/x/net/http/httpproxy, `Config.NoProxy`). curl and apt know fewer of these forms, and ignore the others.
fn exceptions(text: &str) -> Result<Vec<String>, Diagnostic> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._:/[]*".contains(&b);
    let items: Vec<_> =
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect();
    if items.is_empty() || !items.iter().all(|item| item.bytes().all(legal)) {
        return Err(Diagnostic::error(
            Code::InvalidNoProxy,
            format!(
                "must be hosts, domains, addresses or networks, separated by commas, got `{}`",
                text.escape_debug()
            ),
        )
        .hint("for example `localhost,.example.com,10.0.0.0/8`"));
    }
    Ok(items)
}
