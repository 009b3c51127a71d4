//! The codes of all diagnostics. A code is stable: scripts may rely on it, messages may change.

/// Defines the codes: for each its explanation as documentation, whose first line is the title, and its name.
macro_rules! codes {
    ($($(#[doc = $line:literal])+ $Code:ident = $name:literal,)+) => {
        /// The kind of problem that a diagnostic reports.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($(#[doc = $line])+ $Code,)+
        }

        impl Code {
            /// All codes, grouped by subject.
            pub const ALL: &[Self] = &[$(Self::$Code),+];

            /// The name, in lower case with hyphens: it is printed and in JSON.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$Code => $name,)+
                }
            }

            /// The title and the explanation, in the lines of this file.
            fn lines(self) -> &'static [&'static str] {
                match self {
                    $(Self::$Code => &[$($line),+],)+
                }
            }
        }
    };
}

impl Code {
    /// The code of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }

    /// One line that says what is wrong, without a full stop.
    pub fn title(self) -> &'static str {
        self.lines()[0].trim()
    }

    /// Why it is wrong and what to do, one paragraph.
    pub fn explanation(self) -> String {
        let lines: Vec<&str> =
            self.lines()[1..].iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
        lines.join(" ")
    }
}

codes! {

    // The spec and the options.
    /// A spec is not valid YAML
    ///
    /// The parser stopped at the place shown. Often a quote or a bracket is not closed, a line is indented
    /// differently from its neighbours, or a text that contains `: ` or begins with `@`, `*`, `&`, `!`, `%`
    /// or a backquote is not in quotes.
    SpecSyntax = "spec-syntax",
    /// A spec file has more than 1 MiB
    ///
    /// A spec has a few dozen lines. Check that the file after `-f` is the spec and not the user-data or an
    /// image.
    SpecTooLarge = "spec-too-large",
    /// A spec is not a map of fields
    ///
    /// A spec file is one YAML map, for example `name: web1` and `address: 203.0.113.7`, a line each.
    /// `hostseed schema` prints its JSON Schema.
    SpecShape = "spec-shape",
    /// A spec or a query has a field that does not exist
    ///
    /// The fields are the long options of `hostseed create` without the hyphens in front. `hostseed create
    /// --help` lists them.
    UnknownField = "unknown-field",
    /// A field is given twice
    ///
    /// YAML readers differ in which of the two they use, so hostseed refuses both. Keep one.
    DuplicateField = "duplicate-field",
    /// A field has a value of the wrong type
    ///
    /// Most fields take a text or a whole number, lists take several. Put values in quotes that YAML reads
    /// as something else: `28.10` is the number 28.1, `yes` may be a boolean.
    FieldType = "field-type",
    /// A field that is required is missing
    ///
    /// Only `name` is required: it names the machine.
    MissingField = "missing-field",
    /// A value is not one of those that the option accepts
    ///
    /// The message lists the accepted values.
    InvalidChoice = "invalid-choice",
    /// An option would have no effect
    ///
    /// Another option makes it meaningless. hostseed refuses it, because whoever wrote it expects something
    /// that would not happen. Remove one of the two.
    NoEffect = "no-effect",
    /// A list in a query has separators but no item
    ///
    /// Leave the key out, or pass `jsonencode([])`, for an empty list.
    EmptyList = "empty-list",
    /// A query is not what Terraform's external data source sends
    ///
    /// Standard input has to be one JSON object whose values are strings. Lists are passed with
    /// `jsonencode`, or a line for each item.
    QueryJson = "query-json",
    /// A name is not a host name
    ///
    /// A machine's name becomes a folder, and the common name and a DNS name of its certificate. It has
    /// letters, digits, `-` and `.`, at most 64 characters, at most 63 between dots, and no hyphen at the ends of a
    /// label (RFC 1035, RFC 1123).
    InvalidName = "invalid-name",
    /// A machine's name means something else to other programs
    ///
    /// Names that programs read as an IP address (`127.1`, `0x7f`), `localhost`, Windows' device names
    /// (`con`, `nul`), and files of the store (`ca.pem`) cannot name a machine.
    ReservedName = "reserved-name",
    /// A name cannot be the name of a client certificate
    ///
    /// It becomes the common name of the certificate and a folder in the store. It has letters, digits and `-._@+`, at most 64
    /// characters, does not begin with `.` or `-`, does not end with `.`, and is not the machine's name.
    InvalidClientName = "invalid-client-name",
    /// A value is neither an IP address nor a DNS name that a client can dial
    ///
    /// Give only the host: no scheme, no port, no brackets, no zone, no final dot. IPv4 is written as four
    /// decimal numbers.
    InvalidAddress = "invalid-address",
    /// A name cannot be in the server certificate
    ///
    /// A subject alternative name is an IP address, a DNS name, or `*.` followed by a domain with at least
    /// two labels (RFC 6125).
    InvalidSan = "invalid-san",
    /// A port is not a number from 1 to 65535
    ///
    /// Docker's port for TLS is 2376, and that is the default.
    InvalidPort = "invalid-port",
    /// A duration cannot be read or is out of range
    ///
    /// Write a whole number and a unit: `h` for hours, `d` for days, `y` for years of 365 days. The range
    /// is `1h` to `100y`.
    InvalidDuration = "invalid-duration",
    /// A Docker version cannot be read
    ///
    /// Write it as Docker publishes it, for example `28.0.4`. A prefix like `28.0` selects the newest
    /// version that begins with it.
    InvalidVersion = "invalid-version",
    /// A checksum is not a SHA-256
    ///
    /// It has 64 hexadecimal digits. `sha256sum FILE` prints it.
    InvalidChecksum = "invalid-checksum",
    /// A fingerprint is not that of an OpenPGP key
    ///
    /// It has 40 hexadecimal digits; blanks and colons are ignored. `gpg --show-keys FILE` prints it.
    InvalidFingerprint = "invalid-fingerprint",
    /// A URL cannot be used
    ///
    /// It begins with `https://` or `http://`, has a host, and no user or password, because the text is
    /// readable on the host. A mirror's URL has no query and no fragment.
    InvalidUrl = "invalid-url",
    /// An install script would be fetched without TLS
    ///
    /// The script runs as root, and anyone on the network path could replace it. Use `https://`, or accept
    /// the risk with `insecure-install-url`.
    InsecureUrl = "insecure-url",
    /// A value has a control character or a character that is not allowed in Unicode text
    ///
    /// Such characters would end a line in a unit file, a shell script or a terminal. No label or variable
    /// needs them.
    ControlCharacter = "control-character",
    /// An engine option is not a flag of dockerd
    ///
    /// Write `FLAG=VALUE` or `FLAG`, without hyphens in front, as in `log-driver=journald`.
    InvalidDaemonFlag = "invalid-daemon-flag",
    /// An engine option would change how the daemon listens
    ///
    /// hostseed sets `host`, `tls`, `tlsverify`, `tlscacert`, `tlscert` and `tlskey`. Another value would
    /// leave the host open to everyone, or unreachable.
    ReservedDaemonFlag = "reserved-daemon-flag",
    /// dockerd does not have this option
    ///
    /// hostseed knows the options of dockerd 20.10 to 29. With one that it does not have, dockerd does not start.
    /// `--allow-unknown-engine-opts` accepts those of other versions.
    UnknownDaemonOption = "unknown-daemon-option",
    /// The version of dockerd does not have this option
    ///
    /// The option was removed, or came later. Without a version, hostseed assumes the newest one. Use what the
    /// hint says, set `--docker-version`, or accept it with `--allow-unknown-engine-opts`.
    DaemonOptionVersion = "daemon-option-version",
    /// An option of dockerd has a value that it does not accept
    ///
    /// dockerd does not start with such a value. In `daemon.json` the types matter: `true` and `3` are not
    /// `"true"` and `"3"`, lists have brackets even with one item, and the values of `log-opts` are strings.
    DaemonOptionValue = "daemon-option-value",
    /// dockerd ignores a key of daemon.json
    ///
    /// The key is the name of a flag, and the setting has another name in `daemon.json`, usually the plural.
    DaemonOptionIgnored = "daemon-option-ignored",
    /// A label is not `KEY=VALUE`
    ///
    /// The key has no white space and does not begin with `com.docker.`, `io.docker.` or
    /// `org.dockerproject.`, which Docker reserves.
    InvalidLabel = "invalid-label",
    /// An environment variable is not `NAME=VALUE`
    ///
    /// The name has letters, digits and `_`, and does not begin with a digit (systemd.exec(5)).
    InvalidVariable = "invalid-variable",
    /// A registry is not `HOST`, `HOST:PORT` or a network
    ///
    /// An insecure registry is named without a scheme: `registry.example.com:5000` or `10.0.0.0/8`.
    InvalidRegistry = "invalid-registry",
    /// The name of a storage driver is not valid
    ///
    /// Names have lower-case letters, digits and `-`, as in `overlay2`.
    InvalidStorageDriver = "invalid-storage-driver",
    /// A list of exceptions from the proxy is not valid
    ///
    /// An exception is a host name, a domain that begins with a dot, an address or a network, each with an optional
    /// port: `localhost,.example.com,10.0.0.0/8`. `*` means every host.
    InvalidNoProxy = "invalid-no-proxy",
    /// The name of a user is not valid
    ///
    /// The host's useradd accepts a letter or `_`, then letters, digits, `_`, `-` and `.`, 31 characters in all.
    InvalidUser = "invalid-user",
    /// The same label or variable has two values
    ///
    /// dockerd does not start with such labels, and of two variables systemd uses the last. Keep one.
    ConflictingValues = "conflicting-values",
    /// A CA is neither `own`, `shared` nor a folder
    ///
    /// `own` makes a CA for this machine, `shared` uses the store's, and a folder contains `ca.pem` and
    /// `ca-key.pem`. Write a folder with a slash, as in `./ca`.
    InvalidCaSource = "invalid-ca-source",
    /// A CA of several machines would sign a boot issuer without being asked to
    ///
    /// Anyone who reads the user-data of a machine with a boot issuer can impersonate every machine of the
    /// CA that signed it. Give the machine's address, so that no boot issuer is needed, or ask for it with
    /// `boot-issuer`.
    SharedBootIssuer = "shared-boot-issuer",

    // A fleet file.
    /// The name of a fleet has other characters than it may have
    ///
    /// It has small letters, digits and hyphens, at most 63, and no hyphen at its ends. The store marks each machine of the fleet with
    /// it.
    InvalidFleetName = "invalid-fleet-name",
    /// The number of machines is not a whole number
    ///
    /// `count` says how many machines one entry of a fleet file makes. It is a whole number from 0 to 100000.
    InvalidCount = "invalid-count",
    /// A fleet has too many machines
    ///
    /// A fleet has at most 100000 machines. Check `count`, or write several fleet files.
    TooManyMachines = "too-many-machines",
    /// A range of addresses is not in CIDR notation
    ///
    /// `10.0.0.0/24` has the addresses 10.0.0.1 to 10.0.0.254, and `10.0.0.10/24` those from 10.0.0.10 on.
    InvalidRange = "invalid-range",
    /// There are fewer addresses than machines
    ///
    /// The machines of an entry get the items of `addresses` one after the other. Give a larger range, more addresses, or a smaller
    /// `count`.
    TooFewAddresses = "too-few-addresses",
    /// A template in a fleet file cannot be rendered
    ///
    /// Values are templates of Jinja: `{{ index }}` is the number of the machine in its entry, from 1, `{{ count }}` the number of machines
    /// of the entry, `{{ name }}` the machine's name and `{{ fleet }}` the fleet's. Only `daemon-json` is no template.
    FleetTemplate = "fleet-template",
    /// Two machines of a fleet have the same name
    ///
    /// Names that differ only in case count as the same, because some systems make one folder of them, and DNS one name. An entry with `count`
    /// needs `{{ index }}` in its name.
    DuplicateMachine = "duplicate-machine",
    /// Two machines of a fleet have the same address and port
    ///
    /// Clients would reach only one of them. Give each machine an address of its own.
    DuplicateAddress = "duplicate-address",
    /// A machine of a fleet file exists, and does not belong to the fleet
    ///
    /// `create`, `import` or another fleet made it, and `apply` changes only machines of its own fleet. Choose another name, or remove the machine with
    /// `hostseed rm`.
    NotOfThisFleet = "not-of-this-fleet",
    /// The store has no machine of a fleet
    ///
    /// `hostseed apply` makes the machines of a fleet file. Another store is chosen with `--store` or MACHINE_STORAGE_PATH.
    NoSuchFleet = "no-such-fleet",
    /// The client certificate that a fleet shares cannot be used
    ///
    /// `client: shared` uses `cert.pem` and `key.pem` in the folder `certs` of the store, as Docker Machine does. The shared CA must have signed
    /// the certificate. Move both files away, and `apply` makes new ones.
    SharedClient = "shared-client",

    // CAs, certificates and keys.
    /// A CA cannot sign this machine's certificates
    ///
    /// Its certificate has to be a CA's, valid now, and allowed to sign certificates for servers and for
    /// clients. It must have nothing that docker refuses, and its private key has to match.
    UnusableCa = "unusable-ca",
    /// A `ca.pem` contains more than the CA's certificate
    ///
    /// Everything in `ca.pem` would be sent to the host: a private key would be exposed, and each further
    /// certificate could sign clients. Keep only the certificate that belongs to `ca-key.pem`.
    CaFileContents = "ca-file-contents",
    /// A CA's private key has a passphrase that is missing or wrong
    ///
    /// hostseed asks for it at the terminal, or reads it from HOSTSEED_CA_PASSPHRASE. It supports PKCS#8
    /// (`ENCRYPTED PRIVATE KEY`) with PBKDF2 or scrypt and AES, as openssl writes it; `openssl pkcs8 -topk8`
    /// converts older formats.
    CaPassphrase = "ca-passphrase",
    /// A host trusts several CAs
    ///
    /// dockerd accepts the clients of every certificate in its file of the CA, and each client has root access to
    /// the host. Keep only the CA that signs the client certificates. While `hostseed renew --authority` replaces the CA,
    /// a host trusts both, until the last step.
    SeveralCas = "several-cas",
    /// A CA's name constraints forbid what the certificate needs
    ///
    /// The CA may only sign for the names in its constraints (RFC 5280 section 4.2.1.10). Leave the name
    /// out, use another CA, or let the machine have its own.
    CaNameConstraints = "ca-name-constraints",
    /// A CA may not sign a boot issuer
    ///
    /// Its certificate has path length 0, so that no CA below it is valid (RFC 5280 section 4.2.1.9).
    CaPathLength = "ca-path-length",
    /// Docker would not accept a certificate that this CA signs
    ///
    /// hostseed checks the result as the docker CLI and dockerd do, before anything is written.
    CaRejected = "ca-rejected",
    /// A machine's certificate or key in the store cannot be used
    ///
    /// The file is damaged, contains more than it should, or was replaced. Restore the file, or make new
    /// certificates with `hostseed renew`.
    StoredPem = "stored-pem",
    /// A server's private key does not belong to its certificate
    ///
    /// dockerd does not start with such a pair, and the key may be the CA's or another machine's. In the store,
    /// restore the file, or run `hostseed renew`. In user-data, use the certificate and key of one machine.
    KeyMismatch = "key-mismatch",

    // The program and its files.
    /// This computer's clock is earlier than hostseed's release
    ///
    /// Certificates would be valid from the wrong date. Set the clock.
    ClockTooEarly = "clock-too-early",
    /// hostseed cannot tell where machines are kept
    ///
    /// There is no home folder. Pass `--store DIR`, or set MACHINE_STORAGE_PATH.
    NoHome = "no-home",
    /// A file cannot be read
    ///
    /// The message has the system's reason.
    UnreadableFile = "unreadable-file",
    /// A folder has more files than a seed
    ///
    /// `verify` checks at most 64 files of a folder. Name the file to check.
    TooManyFiles = "too-many-files",
    /// A question cannot be asked without a terminal
    ///
    /// Pass the option that answers it.
    NoTerminal = "no-terminal",
    /// There is no clipboard
    ///
    /// `--copy` fills the clipboard of the desktop in DISPLAY. Over SSH, or without a desktop, it asks the terminal to fill its
    /// clipboard. Write a file with `--out` instead.
    NoClipboard = "no-clipboard",
    /// Binary output would go to a terminal or the clipboard
    ///
    /// Write it to a file with `--out`, or make it text with `--base64`.
    BinaryToTerminal = "binary-to-terminal",
    /// A private key would be written where another user can read it
    ///
    /// The existing file is readable by others, or standard output belongs to someone else. Write to a new file
    /// with `--out`: it is created with mode 0600. As a warning: standard output is a file of your own whose mode
    /// cannot be changed, for example on a FAT disk.
    ExposedOutput = "exposed-output",
    /// A value has a control character, and cannot be printed for a shell
    ///
    /// Keep the machines in a folder without such characters in its path.
    UnsafeValue = "unsafe-value",

    // Rendering.
    /// A format of several files needs a folder
    ///
    /// Name it with `--out DIR`. For nocloud, `--out FILE.img` or `--out FILE.iso` makes a disk.
    NeedsFolder = "needs-folder",
    /// An option does not belong to the format
    ///
    /// The message names the format that it belongs to.
    FormatOption = "format-option",
    /// `--for` needs a format that is user-data
    ///
    /// Scripts for images and modules are not handed to a cloud as user-data.
    NotUserData = "not-user-data",
    /// A cloud or Ignition does not decode this encoding
    ///
    /// The user-data would arrive compressed or in base64, and the host would not understand it. `hostseed
    /// clouds NAME` shows what the cloud decodes.
    EncodingNotSupported = "encoding-not-supported",
    /// Rendered user-data does not begin as a host expects
    ///
    /// cloud-init and Ignition recognise user-data by its first bytes. This is a fault of hostseed: report it.
    UserDataBeginning = "user-data-beginning",
    /// User-data exceeds the cloud's limit
    ///
    /// The message has the sizes, and the hint what makes it smaller: gzip, smaller keys, an address in
    /// place of a boot issuer, or an image with Docker in it.
    UserDataTooLarge = "user-data-too-large",
    /// A file that is to be part of the user-data cannot be
    ///
    /// cloud-init or Ignition would skip it, misread it, or let it replace hostseed's part.
    PartRejected = "part-rejected",
    /// A network configuration cannot be used
    ///
    /// It has to be cloud-init's network configuration, a YAML map (version 1 or 2).
    NetworkConfig = "network-config",
    /// The output folder has a network configuration that would be applied too
    ///
    /// Pass it with `--network-config`, or remove it.
    StaleNetworkConfig = "stale-network-config",
    /// A file exists that hostseed did not write, or that has changed since
    ///
    /// hostseed replaces no file that has other content than the new one. It records what it writes to a folder in
    /// `.hostseed.sha256`, and there it also replaces files that are as it wrote them; `sha256sum --check
    /// .hostseed.sha256` shows which have changed. Choose another name, or replace the files with `--force`.
    WouldOverwrite = "would-overwrite",
    /// The place for a file or folder is in the store
    ///
    /// There it could replace the certificates and keys of a machine, and `hostseed rm` would refuse to delete the machine. Choose a place
    /// outside of the folders `machines` and `certs`.
    OutputInStore = "output-in-store",
    /// An output path has an ending that does not fit the format
    ///
    /// A folder or a text with the ending of a disk image or an archive would be taken for one. The message has
    /// the endings that fit. A slash at the end means a folder: `--out web1.example.com/`.
    OutputEnding = "output-ending",

    // Problems that `verify` reports: user-data as a whole.
    /// User-data, or a part of it, is empty
    ///
    /// A host would do nothing with it. Often a file was cut short, or a variable was empty where it was
    /// rendered.
    UserDataEmpty = "user-data-empty",
    /// User-data is cut short
    ///
    /// The end of a file, an archive, a compressed stream or a script is missing. Fetch or paste it again,
    /// whole. Some consoles shorten long texts without saying so.
    UserDataCutShort = "user-data-cut-short",
    /// User-data is damaged
    ///
    /// A compressed stream or base64 has bytes that cannot be in it. Fetch or paste it again. Consoles that
    /// accept only text need `--base64`.
    UserDataDamaged = "user-data-damaged",
    /// User-data is not text in UTF-8
    ///
    /// cloud-init reads text in UTF-8 without a byte order mark, or gzip. Save the file again in UTF-8.
    UserDataText = "user-data-text",
    /// A host would not recognise user-data by its first line
    ///
    /// cloud-init goes by the very first characters: `#cloud-config`, `#!`, a MIME header and a few others.
    /// Nothing may stand before them, no comment, no `---` and no empty line.
    FirstLine = "first-line",
    /// User-data is compressed or encoded where nothing decodes it
    ///
    /// cloud-init decompresses user-data once, as a whole, and parts of an archive if their type says so.
    /// It does not decode base64, except where the cloud or a MIME header says so.
    WrongLayer = "wrong-layer",
    /// There is no user-data in the input
    ///
    /// In JSON and in a folder, `verify` looks for text that begins like user-data, and for fields such as
    /// `user_data`.
    NoUserData = "no-user-data",
    /// The input names user-data and does not contain it
    ///
    /// Old versions of Terraform's AWS provider store only the SHA-1 of user-data. Verify the file that the
    /// user-data was read from, or the answer of the cloud's API.
    HiddenUserData = "hidden-user-data",
    /// The input is HCL or what Terraform prints for people
    ///
    /// hostseed does not evaluate HCL, and Terraform's text hides and shortens values. `terraform show -json`
    /// and `terraform output -raw NAME` print what `verify` reads.
    HclNotRead = "hcl-not-read",
    /// An input is larger or deeper, or has more private keys, than `verify` checks
    ///
    /// The limits keep the work for one input small. What was not checked may hold mistakes and private keys.
    /// Verify the parts one by one.
    VerifyLimit = "verify-limit",
    /// Something in the input was not checked
    ///
    /// It is compressed in a way that `verify` does not decode, or there are too many things of its kind.
    NotChecked = "not-checked",
    /// Text has Windows line ends
    ///
    /// `sh` reads the carriage return as part of the last word of each line. Save the file with Unix line
    /// ends.
    LineEnds = "line-ends",

    // Problems that `verify` reports: formats.
    /// cloud-init cannot read a MIME archive
    ///
    /// An archive begins with `MIME-Version: 1.0` and a `Content-Type: multipart/mixed` that names its
    /// boundary, and each part has a transfer encoding that cloud-init supports.
    MimeArchive = "mime-archive",
    /// cloud-init does not handle the type of a part
    ///
    /// It skips such a part, unless the archive has a part-handler for that type.
    ContentType = "content-type",
    /// A text is not valid YAML
    ///
    /// cloud-init ignores a cloud-config that it cannot parse, and the host boots without it.
    YamlSyntax = "yaml-syntax",
    /// A YAML value has another type than it seems to have
    ///
    /// cloud-init reads YAML 1.1, where `yes` is a boolean, `0644` is a number and `12:30` is 750. Put the
    /// value in quotes.
    YamlType = "yaml-type",
    /// A key is given twice in a YAML map
    ///
    /// cloud-init uses the last one and silently drops the other. Merge the two.
    YamlDuplicateKey = "yaml-duplicate-key",
    /// A YAML value has a tag that cloud-init refuses
    ///
    /// cloud-init loads only YAML's own types. A text that begins with `!` needs quotes.
    YamlTag = "yaml-tag",
    /// A jinja template is not valid
    ///
    /// cloud-init renders templates on the host, and drops one with a syntax error as a whole.
    JinjaSyntax = "jinja-syntax",
    /// A text is not valid JSON
    ///
    /// Ignition stops the boot of the host where its config cannot be parsed.
    JsonSyntax = "json-syntax",
    /// A value in a cloud-config is not the list or the map that cloud-init expects
    ///
    /// `write_files` and `runcmd` are lists, and a cloud-config as a whole is a map.
    CloudConfigShape = "cloud-config-shape",
    /// cloud-init does not know a key
    ///
    /// It ignores unknown keys. The message names a known one that is similar.
    UnknownKey = "unknown-key",
    /// A command is not text
    ///
    /// cloud-init runs none of the commands if one of them is neither a text nor a list of texts, and passes
    /// numbers and booleans on as Python prints them.
    CommandType = "command-type",
    /// A file of `write_files` would not be written as intended
    ///
    /// Each file needs an absolute path and a content. `defer` delays it until packages are installed.
    WriteFilesEntry = "write-files-entry",
    /// The mode of a file is not what it looks like
    ///
    /// In a cloud-config `permissions` is octal in quotes, as in `"0600"`. In Ignition `mode` is decimal:
    /// 384 is 0600.
    FileMode = "file-mode",
    /// The content of a file is not in the encoding that is named
    ///
    /// cloud-init knows `b64`, `gz+b64` and plain text, Ignition knows `gzip`.
    FileEncoding = "file-encoding",
    /// Two entries write the same file
    ///
    /// The host keeps only the last one.
    FileTwice = "file-twice",
    /// A list or map in one part replaces the same one in another
    ///
    /// By default cloud-init replaces a list or map that an earlier part has. The field `merge_how`, or the
    /// header `X-Merge-Type` of a MIME part, joins them.
    MergedLists = "merged-lists",
    /// Docker's repository is added twice, with different keys
    ///
    /// apt refuses to read its sources if two entries of one repository have different values of `Signed-By`.
    /// Then nothing more can be installed on the host, whichever entry came first. Remove the entry, or give
    /// it the key of `setup`, `/etc/apt/keyrings/docker.asc`.
    RepositoryTwice = "repository-twice",
    /// A disk image cannot be used as a seed disk
    ///
    /// A seed disk is a raw FAT or ISO 9660 image with the label `cidata`.
    SeedDisk = "seed-disk",
    /// A NoCloud seed lacks a file or a field
    ///
    /// It needs `user-data` and `meta-data`. cloud-init applies a seed again only if the `instance-id` has
    /// changed.
    NoCloudFiles = "nocloud-files",
    /// An Ignition config is not valid
    ///
    /// Flatcar and Fedora CoreOS read specification 3, and do not boot with a config that is invalid.
    IgnitionConfig = "ignition-config",
    /// cloud-init's schema refuses a cloud-config, or a part of it is deprecated
    ///
    /// `verify --schema` runs `cloud-init schema`. The message is cloud-init's, without long values, since these
    /// may be keys.
    CloudInitSchema = "cloud-init-schema",
    /// cloud-init cannot be run
    ///
    /// `verify --schema` needs it. Install it, for example with `apt-get install cloud-init`, or leave out
    /// `--schema`: `verify` makes its own checks without cloud-init.
    CloudInitMissing = "cloud-init-missing",
    /// An EC2 Image Builder component is not valid
    ///
    /// It has phases, each with steps, each with an action, and is at most 64 KiB long.
    ImageBuilderComponent = "imagebuilder-component",

    // Problems that `verify` reports: seeds that hostseed rendered.
    /// A seed has files that hostseed rendered, and no manifest
    ///
    /// Each seed that hostseed renders has a manifest that names its files with their SHA-256. Without it
    /// `verify` cannot find out what is missing. Fetch the seed again, or render it again if an earlier version
    /// made it.
    ManifestMissing = "manifest-missing",
    /// The manifest of a seed cannot be read
    ///
    /// It is cut short, damaged, or of a newer version of hostseed.
    ManifestDamaged = "manifest-damaged",
    /// A file that a seed needs is missing
    ///
    /// The manifest, `setup` or a command names it. Fetch or paste the seed again, whole.
    PayloadMissing = "payload-missing",
    /// A file does not have the SHA-256 that is expected
    ///
    /// It was changed after the seed was rendered, and the host would refuse it. Fetch the seed again.
    PayloadDamaged = "payload-damaged",
    /// The `setup` script of a seed would not do its work
    ///
    /// It is not executable, nothing runs it, users other than root can change it or its settings, or the files in the seed are not those that it
    /// expects.
    SetupUnusable = "setup-unusable",

    // Problems that `verify` reports: the daemon.
    /// A `daemon.json` is not a JSON object
    ///
    /// dockerd does not start with it.
    DaemonJson = "daemon-json",
    /// A daemon option is set twice
    ///
    /// dockerd does not start if the same option is a flag and in `daemon.json`.
    DaemonOptionTwice = "daemon-option-twice",
    /// Docker's port accepts clients without a certificate
    ///
    /// Everyone who reaches the port is root on the host. Set `--tlsverify` with a CA.
    OpenDockerPort = "open-docker-port",
    /// dockerd does not listen where it is needed
    ///
    /// It needs a `tcp://` address for remote clients, `fd://` or `unix://` for the host itself, and its unit
    /// enabled.
    DaemonUnreachable = "daemon-unreachable",
    /// A file that dockerd needs for TLS is missing
    ///
    /// `--tlsverify` needs `--tlscacert`, `--tlscert` and `--tlskey`, and the files have to be on the host.
    DaemonTlsFiles = "daemon-tls-files",
    /// systemd would not run the command line of dockerd as intended
    ///
    /// A drop-in has to clear `ExecStart` before it sets it, in the section `[Service]`, once.
    DaemonCommandLine = "daemon-command-line",

    // Problems that `check` reports: the connection to a host.
    /// The name of a host does not resolve to an address
    ///
    /// The machine's address is a name that DNS does not have, or DNS does not answer. Add the name to DNS, or record
    /// the VM's IP address with `hostseed address`.
    HostUnresolved = "host-unresolved",
    /// A host does not answer at its address
    ///
    /// The VM is still booting, has another address, or a firewall drops the packets: the cloud's has to allow
    /// the machine's port from where you are.
    HostUnreachable = "host-unreachable",
    /// This computer cannot make a connection
    ///
    /// The host was not asked. The message has the system's reason, for example that too many files are open, or that
    /// an address needs a network interface. Raise the limit (`ulimit -n`), or ask fewer machines at a time.
    LocalNetwork = "local-network",
    /// Nothing listens on Docker's port
    ///
    /// The VM is up, but Docker is not: installing it takes some minutes after the boot. If it takes longer, the
    /// VM's console has lines of hostseed that tell the step and the failure.
    ConnectionRefused = "connection-refused",
    /// A host accepts connections, but does not answer
    ///
    /// Docker is starting or hangs, or something between you and the host accepts connections for it.
    NoAnswer = "no-answer",
    /// A host does not answer with TLS as Docker does
    ///
    /// Another program listens on the port, or Docker without TLS. Docker without TLS gives root to everyone
    /// who reaches the port.
    NotTls = "not-tls",
    /// The handshake of TLS with a host fails
    ///
    /// The host answers with TLS, and no certificate is the cause. A proxy or an old TLS library on the way does not
    /// support what Docker needs, TLS 1.2 with client certificates.
    TlsFailed = "tls-failed",
    /// A host presents a certificate that the machine's CA did not sign
    ///
    /// It is another machine, or it booted from other user-data. Clouds give the address of a deleted VM to others.
    OtherCa = "other-ca",
    /// A host does not accept the machine's client certificate
    ///
    /// The CA on the host is another one, or the host's clock is outside of the certificate's dates.
    ClientRefused = "client-refused",
    /// A host answers with TLS, but is not Docker
    ///
    /// It has a certificate of the machine's CA, and the answer is not that of Docker's API.
    NotDocker = "not-docker",
    /// Docker answers with an error
    ///
    /// The message is Docker's own. While Docker starts, errors are normal.
    DaemonError = "daemon-error",
    /// Docker on a host is too old
    ///
    /// hostseed needs version 1.24 of its API, which Docker 1.12 was the first to have.
    DaemonTooOld = "daemon-too-old",
    /// A host's clock differs from this computer's
    ///
    /// Certificates are refused if one of the clocks is outside of their dates.
    ClockSkew = "clock-skew",

    // Problems that `verify` reports: certificates and keys.
    /// A certificate cannot be read
    ///
    /// The file has to contain certificates in PEM.
    CertificateUnreadable = "certificate-unreadable",
    /// A certificate is not valid now
    ///
    /// It has expired or is not valid yet. Clients refuse to connect to the host.
    CertificateTime = "certificate-time",
    /// A certificate expires soon
    ///
    /// It expires within 30 days, or within a third of its validity if that is less: 7 days before the end of
    /// a certificate for 21 days. Make new certificates with `hostseed renew` before that, and replace the VM.
    CertificateExpiresSoon = "certificate-expires-soon",
    /// A certificate has a weak key or signature
    ///
    /// Docker's TLS library refuses it. P-256 is a good choice.
    WeakCertificate = "weak-certificate",
    /// A certificate does not verify against the CA in the seed
    ///
    /// Clients refuse to connect to the host. The message says which check failed.
    CertificateChain = "certificate-chain",
    /// A certificate does not have the purpose that it is used for, or has more
    ///
    /// A server certificate must have the extended key usage serverAuth and no other, because a key in
    /// user-data must not work for a client. A CA's certificate must be allowed to sign certificates.
    CertificatePurpose = "certificate-purpose",
    /// A server certificate names no address
    ///
    /// The docker CLI looks for the address that it connects to in the subject alternative names, and nowhere
    /// else.
    CertificateNames = "certificate-names",
    /// A certificate is in the seed without its private key
    ///
    /// Add the key, with mode 0600.
    MissingKey = "missing-key",
    /// Every user of the host can change a certificate
    ///
    /// Anyone who replaces the CA's certificate decides who controls Docker. Set mode 0644.
    WritableCertificate = "writable-certificate",
    /// The CA's private key is in the user-data
    ///
    /// Every process on the host can read user-data. With this key anyone can make client certificates and
    /// control every host of the CA. Make a new CA and new machines.
    CaKeyInSeed = "ca-key-in-seed",
    /// A client's private key is in the user-data
    ///
    /// Every process on the host can read user-data. With this key anyone can control the host as root.
    ClientKeyInSeed = "client-key-in-seed",
    /// User-data has a private key that the host does not need
    ///
    /// A host needs the key of its server certificate, or of its boot issuer, and no other. Remove it.
    StrayKey = "stray-key",
    /// Other users of the host can read a private key
    ///
    /// Set mode 0600.
    ReadableKey = "readable-key",
    /// A private key belongs to another user than root
    ///
    /// dockerd runs as root, and the other user could read and replace the key. Leave the owner out.
    KeyOwner = "key-owner",
    /// The host's SSH key is in the user-data
    ///
    /// Anyone who reads the user-data can impersonate the host to `ssh`. Leave it out: the host makes its own.
    SshHostKey = "ssh-host-key",

    // The store.
    /// The store has no machine of that name
    ///
    /// `hostseed ls` lists the machines. Another store is chosen with `--store` or MACHINE_STORAGE_PATH.
    NoSuchMachine = "no-such-machine",
    /// A machine of that name exists already
    ///
    /// hostseed never replaces a machine: its keys would be lost. Choose another name, or remove it with
    /// `hostseed rm`.
    MachineExists = "machine-exists",
    /// A machine has a VM in its folder, so it cannot be renamed
    ///
    /// Some drivers of Docker Machine, such as virtualbox, keep the VM's disk in the machine's folder. The hypervisor knows the
    /// VM by the machine's name and that folder.
    VmInFolder = "vm-in-folder",
    /// The docker CLI does not accept the name of a context
    ///
    /// It has at least 2 characters: letters, digits, `-`, `_`, `.` and `+`, the first one a letter or a digit. `default` is
    /// docker's own context. `hostseed context NAME --name CONTEXT` gives the context another name than the machine.
    InvalidContextName = "invalid-context-name",
    /// There is a docker context of that name, and it is not the machine's
    ///
    /// hostseed replaces and removes only contexts that it made for the same machine, and those with the machine's CA and
    /// address. Choose another name with `--name`. `--force` replaces or removes the context, with its keys.
    ContextExists = "context-exists",
    /// There is no docker context of that name
    ///
    /// `docker context ls` lists the contexts. They are in `~/.docker`, or in the folder in DOCKER_CONFIG.
    NoSuchContext = "no-such-context",
    /// The docker CLI would use another host than the one of the chosen context
    ///
    /// DOCKER_HOST and DOCKER_CONTEXT have precedence over the current context. Unset them, or choose the context in each
    /// command: `docker --context NAME`.
    ContextOverridden = "context-overridden",
    /// The docker CLI's settings cannot be read
    ///
    /// The current context is in `config.json` in `~/.docker`, or in the folder in DOCKER_CONFIG. The file has to be a JSON
    /// object. hostseed changes only `currentContext` in it.
    DockerConfig = "docker-config",
    /// The request has other settings than the existing machine
    ///
    /// Neither `create --if-missing` nor Terraform's data source changes a machine. Ask for the same settings, for the
    /// name alone, or change the machine with `hostseed update`.
    MachineDiffers = "machine-differs",
    /// A file or folder cannot be written, removed or locked
    ///
    /// The message has the system's reason, and says whether anything was changed.
    WriteFailed = "write-failed",
    /// A change could be neither finished nor undone
    ///
    /// The next command on the same folder finishes it before it does anything else. Remove the cause first:
    /// often the disk is full or failing.
    UnfinishedChange = "unfinished-change",
    /// Files that may contain private keys could not be deleted
    ///
    /// The message names them. The next command that writes to the folder tries again. Delete them by hand if
    /// it cannot.
    LeftBehind = "left-behind",
    /// The journal of an interrupted command cannot be used
    ///
    /// hostseed finishes an interrupted change with the file `.hostseed.journal`, and accepts it only in the
    /// folder where it was written. One that came with a copied or unpacked folder, or that other users can
    /// read, may list another user's files. Move it away.
    UnusableJournal = "unusable-journal",
    /// Something that is not a regular file is in the place of a file
    ///
    /// hostseed reads and replaces only regular files: a FIFO would block it, and a link or a device could
    /// lead anywhere.
    NotRegularFile = "not-regular-file",
    /// A symbolic link points to nothing
    ///
    /// hostseed writes through a link only to a file that exists. Remove the link, or create its target.
    DanglingLink = "dangling-link",
    /// A symbolic link is in a world-writable folder
    ///
    /// Anyone could have made it, and it could lead the output anywhere. Give the path that it leads to.
    PlantedLink = "planted-link",
    /// A file or folder belongs to another user
    ///
    /// Its owner could replace keys and certificates. Run hostseed as that user, change the owner, or accept
    /// the risk with `--allow-insecure-store`.
    ForeignOwner = "foreign-owner",
    /// Other users can write to a folder or file of the store or of a CA
    ///
    /// They could replace keys and certificates. `chmod go-w` removes that permission.
    WritableByOthers = "writable-by-others",
    /// The mode of a key file exposes it and cannot be changed
    ///
    /// hostseed sets the mode of key files to 0600. Its owner has to do so here. If anyone may have read the
    /// key, make new keys.
    ModeNotChanged = "mode-not-changed",
    /// The path of a store is not UTF-8
    ///
    /// The path is written into `config.json` and into the environment, which contain only UTF-8. Choose another
    /// path.
    PathNotUtf8 = "path-not-utf-8",
    /// A machine has no client certificate of that name
    ///
    /// `hostseed clients NAME` lists those that `hostseed client` made, and the machine's own.
    NoSuchClient = "no-such-client",
    /// A machine has a valid client certificate of that name already
    ///
    /// A new one would not make the old one invalid: whoever has its key keeps access until it expires, or until `hostseed
    /// renew --authority` replaces the CA. `--force` replaces the files in the store.
    ClientExists = "client-exists",
    /// A client's certificate was signed by another CA than its machine has
    ///
    /// `hostseed renew --authority` replaced the CA, which revokes all client certificates of the old one as soon as the host has the new
    /// CA. Or `hostseed renew --undo` took the CA back that signed it. `hostseed client NAME --cn CN` makes a new certificate in its place.
    ClientRevoked = "client-revoked",
    /// A file cannot be imported because it is not what `hostseed export` wrote
    ///
    /// It is another file, was cut off, or was changed. `import` accepts only the bytes that `export` writes, plain or encrypted with a
    /// passphrase, and base64 of both. Export the machine again, and copy the file whole.
    ExportFile = "export-file",
    /// A file to import has a version of the format that this hostseed does not know
    ///
    /// Import it with the version of hostseed that exported it, or a later one.
    ExportVersion = "export-version",
    /// The passphrase of an exported file is missing, wrong, or cannot be used
    ///
    /// `export --passphrase` asks twice for a new one, and `import` for the one of the file, at the terminal. `--passphrase-file FILE` reads
    /// it from the first line of a file instead. Nothing else decrypts the file: if the passphrase is lost, export again.
    ExportPassphrase = "export-passphrase",
    /// The certificates and keys of a file to import do not belong together
    ///
    /// Each key must belong to its certificate, the machine's CA must have signed all of them, and the settings must be readable. If the
    /// machine was exported by hostseed, the file was changed by hand. `export` refuses a machine of the store that is so.
    ExportContents = "export-contents",
    /// A machine was imported with a client certificate only
    ///
    /// `env`, `config`, `url`, `check`, `inspect` and `ls` work with it. What needs the host's certificate, the CA's key or the machine's
    /// settings does not: use the computer that has the whole machine, or export it there and import it here.
    ClientOnly = "client-only",
    /// A machine's record in the store cannot be used
    ///
    /// `config.json` is damaged or has no address. Restore the file from a backup.
    StoredRecord = "stored-record",
    /// A machine's plan in the store cannot be used
    ///
    /// `machine.yaml` is damaged, or has a value that this version refuses. The message has the place.
    StoredPlan = "stored-plan",
    /// A machine was made by Docker Machine
    ///
    /// It has no `machine.yaml`, so hostseed does not know what to render. `check`, `env`, `config`, `url`, `ip`
    /// and `inspect` work. `hostseed import --docker-machine NAME` takes the machine over.
    NotMadeByHostseed = "not-made-by-hostseed",
    /// The provider for Terraform is not installed
    ///
    /// `terraform install` copies the program `terraform-provider-hostseed` from the folder of hostseed itself. It is built only with the
    /// cargo feature `terraform`.
    NoProvider = "no-provider",
    /// A provider was not started by Terraform
    ///
    /// `terraform-provider-hostseed` is a program that Terraform or OpenTofu starts and ends, and with which it speaks over an encrypted
    /// connection. It has no use without one of them. `hostseed terraform install` puts it where they find it.
    NotStartedByTerraform = "not-started-by-terraform",
    /// A machine of Docker Machine cannot be taken over
    ///
    /// Docker Machine has not finished creating it, wrote its record in a format that hostseed does not read,
    /// or connects to it without TLS. `docker-machine ls` shows the machine's state and rewrites old records.
    DockerMachineRecord = "docker-machine-record",
    /// The private key of a machine's CA was not found
    ///
    /// `import --docker-machine` looked in `certs` of Docker Machine's store and where the machine's
    /// `config.json` says. Without that key hostseed can connect to the machine and render it, but cannot make
    /// further certificates for it.
    CaKeyNotFound = "ca-key-not-found",
    /// Something of a machine was left in Docker Machine's store
    ///
    /// hostseed takes over a machine's keys, certificates and settings, not its disks, folders or large files,
    /// and sets up no Swarm on a replacement of its VM.
    NotTakenOver = "not-taken-over",
    /// A CA folder exists, but its machine does not
    ///
    /// hostseed never replaces a CA: its key would be lost. Choose another name, or move the folder away.
    CaFolderExists = "ca-folder-exists",
    /// A machine's CA has signed the certificates of another machine
    ///
    /// Without the CA, that machine's certificates could not be made again. Remove the other machine first,
    /// or both at once.
    CaInUse = "ca-in-use",
    /// The private key of a machine's CA is not in the store
    ///
    /// Without it hostseed can make no new certificates for the machine. Restore the file from a backup, or replace
    /// the CA with `hostseed renew --authority`.
    NoCaKey = "no-ca-key",
    /// Another CA is in the place of the one that signed a machine's certificates
    ///
    /// Its host would refuse certificates of the other CA. Restore the CA's files, or move the machine to the CA that
    /// is there with `hostseed renew --authority`.
    CaReplaced = "ca-replaced",
    /// hostseed does not replace a CA in a folder of yours
    ///
    /// It did not make that CA. Put the new `ca.pem` and `ca-key.pem` into the folder; then `hostseed renew
    /// --authority` moves the machine to the new CA.
    CaNotReplaced = "ca-not-replaced",
    /// A machine has a new CA that no host has presented
    ///
    /// `hostseed renew --authority` made it. It may be on the host already, so another one does not replace it: nobody would have access
    /// to that host. `check`, `wait` and `renew --apply` find out which CA the host has; `renew --undo` puts the old one back.
    CaUnproved = "ca-unproved",
    /// A machine's CA is being replaced in steps
    ///
    /// Until the last step, host and clients trust two CAs. `renew` and `update` would make certificates in the middle of that.
    /// `hostseed renew --authority --apply NAME` prints how far it is; with `--yes` it does the next step.
    CaChangeOpen = "ca-change-open",
    /// Clients have certificates of the CA that is being replaced
    ///
    /// The next step would lock them out. `hostseed client` makes them again with the new CA; each person gets the new files.
    /// `--at-once` goes on without them.
    ClientsOfOldCa = "clients-of-old-ca",
    /// Another computer has changed a machine's host
    ///
    /// The host presents a certificate that this store does not have, or accepts clients of a CA that it does not have. So the store is of
    /// an earlier time: new files from it would undo the change from there, bring a CA back that was dropped, or drop one that clients have.
    /// Go on where the host was changed last, or import the machine from there. A VM that was made again with earlier user-data looks the
    /// same: replace it with that of the store.
    HostChangedElsewhere = "host-changed-elsewhere",
    /// `update` does not change an option
    ///
    /// The type of the keys and the validity belong to the certificates: `hostseed renew` makes new ones with other values. Another
    /// CA needs another machine.
    NotUpdatable = "not-updatable",
    /// A machine has no previous files
    ///
    /// `renew` and `update` keep the files that they replace until a host presents the new certificate. After that
    /// there is nothing to undo.
    NoPrevious = "no-previous",
    /// A host cannot put new files in place by itself
    ///
    /// `renew --apply` needs the units hostseed-apply.path and hostseed-apply.service on the host. Seeds contain them;
    /// hosts of Docker Machine and of the first versions of hostseed lack them. Replace the VM with the new user-data,
    /// or install them with `--install-units`: a container then runs `systemctl` as root on the host.
    NoApplyUnits = "no-apply-units",
    /// Another client brings new files to the host
    ///
    /// One client at a time can do so. The message names the other one. If that was killed, its lock ends after 20
    /// minutes, or at once on the computer where it ran.
    HostBusy = "host-busy",
    /// A host did not accept new files
    ///
    /// Either it found a fault in them and changed nothing, or Docker did not answer with them, and the host has put the
    /// old files back. The reason is the host's. The machine has both, the old and the new files.
    NotApplied = "not-applied",
    /// A host has new files, and the outcome is not known
    ///
    /// The host works on by itself: it either answers with the new files, or puts the old ones back. The same command
    /// asks it again and goes on.
    OutcomeUnknown = "outcome-unknown",
    /// The folder of a machine contains files that hostseed did not make
    ///
    /// `rm` deletes only files that hostseed or Docker Machine made. Move the others away.
    ForeignFiles = "foreign-files",
    /// The server certificate does not cover an address
    ///
    /// The docker CLI would refuse the connection. Make a server certificate for the address with `hostseed update`, or
    /// record the address anyway with `--force`.
    AddressNotCovered = "address-not-covered",

    // The swarm of a fleet.
    /// A machine of a swarm would run Docker with live-restore
    ///
    /// Docker does not support live-restore on a node of a swarm, and refuses to let the host join one. Set it to false, and put the change
    /// on the host.
    SwarmLiveRestore = "swarm-live-restore",
    /// No machine of the fleet is a manager of the swarm
    ///
    /// A swarm needs a manager: the other nodes join it. Give a machine `swarm: manager`; three or five managers survive the
    /// failure of one or two.
    SwarmNoManager = "swarm-no-manager",
    /// The number of managers of the swarm is even
    ///
    /// More than half of the managers have to be up. An even number survives no more failures than one manager less, and needs one
    /// more machine.
    SwarmEvenManagers = "swarm-even-managers",
    /// A host is in another swarm
    ///
    /// A host can be in one swarm. hostseed takes none out of a swarm, because its services would end. Look at the host with `docker node ls`;
    /// if the swarm is not needed, `docker swarm leave --force` takes the host out of it.
    SwarmOther = "swarm-other",
    /// A host is a member of a swarm and takes no part in it
    ///
    /// Either it is still joining, often because a firewall closes a port between the nodes, or the swarm is locked
    /// (autolock, which hostseed neither sets nor unlocks), or Docker reports an error. The message has Docker's own words.
    SwarmUnfit = "swarm-unfit",
    /// Docker refused a change of the swarm
    ///
    /// The message has Docker's own words. Steps that were done before stay; the same command goes on from there.
    SwarmRefused = "swarm-refused",
    /// A host did not join the swarm
    ///
    /// The nodes have to reach each other: managers at TCP port 2377, all nodes at TCP and UDP port 7946 and at UDP port 4789. The address at
    /// which they reach a manager is its `advertise` address. The same command tries it again.
    SwarmJoin = "swarm-join",
    /// A node of the swarm belongs to no machine of the fleet file
    ///
    /// hostseed leaves it alone. Add the machine to the file with `swarm:`, or take the node out of the swarm with `docker node rm`.
    SwarmUnlisted = "swarm-unlisted",
    /// A node of the swarm differs from the fleet file, or is down
    ///
    /// `hostseed swarm up` lets machines join, and changes roles and labels. A node that is down has to be started, or its network repaired.
    SwarmDiffers = "swarm-differs",
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_in_lower_case_with_hyphens() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for name in names {
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{name}"
            );
            assert_eq!(Code::named(name).map(Code::name), Some(name));
        }
    }

    #[test]
    fn every_code_is_explained() {
        for code in Code::ALL {
            assert!(!code.title().ends_with('.') && code.title().len() < 100, "{}", code.title());
            assert!(code.explanation().ends_with('.'), "{}: {}", code.name(), code.explanation());
        }
    }
}
