//! `update`: changes the options of a machine that exists.

use anyhow::Result;
use time::OffsetDateTime;

use super::create::absolute;
use super::host_steps::NewFiles;
use super::passphrase::Passphrase;
use super::{as_usage, context, machine_name, note_install_url, note_passwords};
use crate::diag::{Code, Diagnostic, Report};
use crate::fleet::{self, Certificates, Difference, differences};
use crate::names::MachineName;
use crate::plan::{HostRole, Plan};
use crate::spec::Spec;
use crate::store::{Replaced, Replacement, Store, Stored};
use crate::ui::Ui;

/// The arguments of the command.
pub struct Request {
    /// The machine's name and the options to change.
    pub spec: Spec,
    /// True if the spec is a file, which has all options of the machine: those that it lacks get their defaults.
    pub is_whole: bool,
    /// Options that get their defaults.
    pub unset: Vec<String>,
    /// Print what would be changed, and write nothing.
    pub dry_run: bool,
}

/// Changes options of a machine. It keeps the CA and the client certificate, and makes a new server certificate only if its names change.
/// Prints each difference, and how it gets to the host.
pub fn update(store: &Store, ui: Ui, now: OffsetDateTime, request: &Request) -> Result<()> {
    let name = name(request)?;
    refuse_given_and_unset(request)?;
    let passphrase = Passphrase::asked(ui);
    let prepare = || {
        let change = Change::prepare(store, now, &name, request, &passphrase);
        change.map_err(|error| as_usage(with_way_out(store, error), &[Code::CaPassphrase]))
    };
    let mut change = prepare()?;
    if change.differences.is_empty() {
        ui.note(format_args!("`{name}` has these settings already; nothing was changed"));
        return Ok(());
    }
    if !request.dry_run {
        while store.replace(std::slice::from_ref(&change.replacement), None)? == Replaced::ChangedMeanwhile {
            change = prepare()?;
        }
    }
    change.print(ui)?;
    note_install_url(ui, &request.spec, &change.plan().host.docker);
    note_passwords(ui, &request.spec);
    if request.dry_run {
        ui.note("this is a dry run: nothing was written");
    } else {
        change.tell(store, ui);
        context::note_stale(store, ui, &name)?;
    }
    Ok(())
}

/// The machine that the spec names.
fn name(request: &Request) -> Result<MachineName> {
    if let Some(word) = &request.spec.name {
        return machine_name(&word.text);
    }
    let missing = Diagnostic::error(Code::MissingField, "is missing");
    Err(Report::from(request.spec.about("name", None, missing)).into())
}

/// Gives a machine's own CA that cannot sign a boot issuer the hint that helps: `update` changes no CA.
fn with_way_out(store: &Store, error: anyhow::Error) -> anyhow::Error {
    match Diagnostic::of(&error) {
        Some(Diagnostic { code: Code::CaPathLength, message, .. }) => {
            Diagnostic::error(Code::CaPathLength, format!("{message}; nothing was changed"))
                .hint("create another machine without an address, whose CA can sign one:")
                .run(store.command(["create", "NAME"]))
                .into()
        }
        _ => error,
    }
}

/// Refuses an option that is given a value and `--unset`.
fn refuse_given_and_unset(request: &Request) -> Result<()> {
    let both = request.unset.iter().filter(|field| request.spec.given.contains(field));
    let error = |field: &String| {
        let text = format!("`--{field}` and `--unset {field}` contradict each other");
        Diagnostic::error(Code::ConflictingValues, text)
            .hint("an option replaces all values that the machine has")
    };
    Ok(Report::check(both.map(error).collect())?)
}

/// A change that is not in the store yet.
struct Change {
    replacement: Replacement,
    differences: Vec<Difference>,
    has_new_certificate: bool,
}

impl Change {
    fn prepare(
        store: &Store,
        now: OffsetDateTime,
        name: &MachineName,
        request: &Request,
        passphrase: &Passphrase,
    ) -> Result<Self> {
        let before = store.stored(name)?;
        store.refuse_open_ca_change(&before.plan)?;
        let plan = match request.is_whole {
            true => Plan::of_existing(&request.spec)?,
            false => before.plan.with_changes(&request.spec, &request.unset)?,
        };
        let plan = absolute(plan)?;
        let differences = differences(&before.plan, &plan);
        refuse_fixed(store, &differences, name)?;
        let certificates = Certificates::of_change(&before.plan, &plan);
        let authority = match certificates {
            Certificates::Kept => None,
            Certificates::OfHost | Certificates::OfClient | Certificates::All => {
                Some(store.signing_authority(&before.plan.name, now, &|key| passphrase.of(key))?)
            }
        };
        let replacement = fleet::replacement(store, before, plan, (certificates, authority), now)?;
        let has_new_certificate = certificates != Certificates::Kept;
        Ok(Self { replacement, differences, has_new_certificate })
    }

    fn plan(&self) -> &Plan {
        &self.replacement.plan
    }

    fn before(&self) -> &Stored {
        &self.replacement.before
    }

    /// Returns whether a difference needs a new VM.
    fn needs_vm(&self, difference: &Difference) -> bool {
        fleet::needs_vm(difference, &self.before().plan, self.plan())
    }

    /// Prints each option that changes.
    fn print(&self, ui: Ui) -> Result<()> {
        let rows = self.differences.iter().map(|difference| {
            let how = match self.needs_vm(difference) {
                true => "the VM has to be replaced",
                false => "the running host gets it with `renew --apply`",
            };
            let change = format!("{} (before: {})", difference.after, difference.before);
            (difference.field, vec![change, how.to_owned()])
        });
        ui.details(&rows.collect::<Vec<_>>())
    }

    /// Prints the next steps.
    fn tell(&self, store: &Store, ui: Ui) {
        let name = &self.plan().name;
        let mut lines = Vec::new();
        if self.has_new_certificate {
            lines.push(match self.plan().host_role() {
                HostRole::Server => {
                    "It has a new server certificate. Its CA and its client certificate stay.".to_owned()
                }
                HostRole::BootIssuer => {
                    "It has a boot issuer. Its CA and its client certificate stay.".to_owned()
                }
            });
        }
        let old_port = self.before().plan.host.port;
        if self.plan().host.port != old_port {
            lines.push(format!("The running host listens on port {old_port} until then; allow the new port in the cloud's firewall."));
        }
        let new_files = match self.differences.iter().any(|difference| self.needs_vm(difference)) {
            true => NewFiles::OptionsOfNewVm,
            false => NewFiles::Options,
        };
        lines.extend(new_files.bring_to_host(store, name));
        lines.push("To put the files from before back:".to_owned());
        lines.push(format!("   {}", store.command(["renew", "--undo", name.as_str()])));
        ui.steps(format_args!("machine `{name}` is changed; the running host is not"), &lines);
    }
}

/// Refuses changes of what belongs to the machine's identity.
fn refuse_fixed(store: &Store, differences: &[Difference], name: &MachineName) -> Result<()> {
    let mut refused = Vec::new();
    for Difference { field, before, after, .. } in differences {
        let text =
            format!("`update` does not change `{field}`, which is {before} in `{name}`; nothing was changed");
        let error = Diagnostic::error(Code::NotUpdatable, text);
        let value = after.trim_matches('`');
        refused.push(match *field {
            "key" | "valid-for" => error.hint("make new certificates with it:").run(store.command([
                "renew",
                name.as_str(),
                &format!("--{field}"),
                value,
            ])),
            "ca" => error.hint("create another machine with that CA"),
            _ => continue,
        });
    }
    Ok(Report::check(refused)?)
}
