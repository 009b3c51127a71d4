//! Seed disks for cloud-init's NoCloud: FAT or ISO 9660 volumes with the label `CIDATA`, written and read in memory. The
//! output is reproducible: the same files give the same bytes.

use anyhow::{Context, Result, bail};
use hadris_fat::sync::{FatFs, check, write as write_fat};
use hadris_fat::{FatOptions, VolumeLabel};
use hadris_fs::sync::FileSystem;
use hadris_fs::{Content, DirCursor, DirEntry, Error, MountOptions, Node, OpenMode, Permissions};
use hadris_fs::{SetAttr, Severity, Tree};
use hadris_io::{ErrorKind, ErrorType};
use hadris_iso::sync::{IsoFs, write as write_iso};
use hadris_iso::{IsoId, IsoOptions};
use hadris_storage::sync::BlockDevice;
use hadris_storage::{BlockIndex, BlockSize, MemDevice};

use crate::artifact::Artifact;
use crate::secret::Secret;

/// The volume label. cloud-init accepts `cidata` or `CIDATA` (cloud-init's documentation, "NoCloud", source 2). Lower
/// case is not valid in a FAT label, and lower-case letters are not d-characters of ISO 9660.
const LABEL: &str = "CIDATA";
/// The size of a FAT disk in bytes is a multiple of this.
const FAT_STEP: usize = 64 * 1024;
const SECTOR: BlockSize = BlockSize::new(512).unwrap();
/// Size of a logical sector in bytes, ECMA-119 §6.1.2.
const ISO_SECTOR: BlockSize = BlockSize::new(2048).unwrap();
/// Maximum number of files. A seed has at most four, so a disk with more files than this is not a seed.
const MAX_FILES: usize = 64;

/// The filesystem of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Fat,
    Iso,
}

impl Kind {
    /// Detects the filesystem from an image's signature, without checking the rest. Returns `None` if there is no known
    /// signature.
    pub fn of(image: &[u8]) -> Option<Self> {
        // ECMA-119 §8.1: volume descriptors begin at sector 16. This identifier follows the descriptor's type byte.
        if image.get(16 * 2048 + 1..).is_some_and(|rest| rest.starts_with(b"CD001")) {
            return Some(Self::Iso);
        }
        // Microsoft's FAT specification, "Boot Sector and BPB": the sector begins with a jump and ends with this
        // signature.
        let jump = matches!(image, [0xeb, _, 0x90, ..] | [0xe9, ..]);
        (jump && image.get(510..512) == Some(&[0x55, 0xaa])).then_some(Self::Fat)
    }
}

/// The contents of a disk image.
#[derive(Debug, PartialEq, Eq)]
pub struct Disk {
    pub kind: Kind,
    /// Empty if the volume has no label.
    pub label: String,
    /// The files in the root folder, in the disk's order. Subfolders and their files are left out.
    pub files: Vec<Artifact>,
}

/// Makes a FAT disk with these files in its root folder.
pub fn fat(files: &[Artifact]) -> Result<Vec<u8>> {
    let options = FatOptions::new()
        .with_label(VolumeLabel::new(LABEL).expect("the label has at most 11 characters, all in upper case"));
    let mut image = vec![0; fat_size(files)];
    write_fat(MemDevice::new(&mut image[..], SECTOR), &tree(files)?, &options)
        .context("cannot write a FAT disk")?;
    Ok(image)
}

/// The size in bytes of a FAT disk for these files. It has room for the files' bytes, for two allocation tables with at
/// most 4 bytes per cluster of at least 512 bytes, for a root folder of 16 KiB, and for the unused rest of each file's
/// last cluster.
fn fat_size(files: &[Artifact]) -> usize {
    let bytes: usize = files.iter().map(|file| file.bytes.len()).sum();
    (bytes + bytes / 32 + 18 * 1024 + files.len() * 8 * 1024).next_multiple_of(FAT_STEP)
}

/// Makes an ISO 9660 disk with these files in its root folder. The names are stored as Rock Ridge, which Linux reads, and
/// as Joliet.
pub fn iso(files: &[Artifact]) -> Result<Vec<u8>> {
    let options = IsoOptions::new()
        .with_id(IsoId::Volume, LABEL)
        .with_id(IsoId::Application, "")
        .with_rock_ridge()
        .with_joliet();
    let tree = tree(files)?;
    let size = hadris_iso::plan(&tree, &options).context("cannot lay out an ISO 9660 disk")?.size();
    let mut image = vec![0; usize::try_from(size)?];
    write_iso(MemDevice::new(&mut image[..], ISO_SECTOR), &tree, &options)
        .context("cannot write an ISO 9660 disk")?;
    Ok(image)
}

fn tree(files: &[Artifact]) -> Result<Tree> {
    let mut tree = Tree::new();
    for file in files {
        let mode = SetAttr::new().with_permissions(Permissions::new(file.mode));
        tree.insert(&file.path, Node::file(Content::bytes(&file.bytes[..])).with_attrs(mode))?;
    }
    Ok(tree)
}

/// Reads a disk image. Memory use is bounded by the size of the image. The number of bytes read is bounded too, and is
/// added to `work`.
///
/// # Errors
/// Fails if the image is not a FAT or ISO 9660 disk, is cut short, is inconsistent, or would need the same bytes to be
/// read many times.
pub fn read(image: &[u8], work: &mut usize) -> Result<Disk> {
    match Kind::of(image) {
        Some(Kind::Fat) => read_fat(image, work).context("cannot read the FAT disk"),
        Some(Kind::Iso) => read_iso(image, work).context("cannot read the ISO 9660 disk"),
        None => bail!("this is neither a FAT nor an ISO 9660 disk"),
    }
}

/// An image that counts the bytes that are read, and fails above a limit that depends on the image's size.
struct Counted<'a> {
    device: MemDevice<&'a [u8]>,
    work: &'a mut usize,
    limit: usize,
}

impl<'a> Counted<'a> {
    fn new(image: &'a [u8], block: BlockSize, work: &'a mut usize) -> Self {
        /// Each byte is read a few times: by the check, by the listing of the files, and by the reading of the files.
        const READS_PER_BYTE: usize = 6;
        /// Number of bytes that may be read from an image of any size.
        const MIN_LIMIT: usize = 1 << 20;
        let limit = work.saturating_add(MIN_LIMIT + READS_PER_BYTE * image.len());
        Self { device: MemDevice::new(image, block), work, limit }
    }
}

impl ErrorType for Counted<'_> {
    type Error = std::convert::Infallible;
}

impl BlockDevice for Counted<'_> {
    fn block_size(&self) -> BlockSize {
        self.device.block_size()
    }

    fn block_count(&self) -> u64 {
        self.device.block_count()
    }

    fn read_blocks(
        &mut self,
        first: BlockIndex,
        buf: &mut [u8],
    ) -> Result<(), hadris_io::Error<Self::Error>> {
        *self.work += buf.len();
        if *self.work > self.limit {
            let kind = ErrorKind::Corrupt;
            return Err(hadris_io::Error::new(kind, "the same blocks are read too often"));
        }
        self.device.read_blocks(first, buf)
    }
}

fn read_fat(image: &[u8], work: &mut usize) -> Result<Disk> {
    let mut wrong = None;
    // The check needs 1 KiB of its scratch memory for a path, and one bit for each cluster.
    let mut scratch = [0; 8 * 1024];
    check(&mut Counted::new(image, SECTOR, work), &mut scratch, |finding| {
        if finding.severity() == Severity::Error && wrong.is_none() {
            wrong = Some(finding.to_string());
        }
    })?;
    if let Some(wrong) = wrong {
        bail!(wrong);
    }
    let mut volume = FatFs::mount(Counted::new(image, SECTOR, work), MountOptions::new().read_only())
        .map_err(Error::from)?;
    read_root(&mut volume, Kind::Fat, image.len())
}

fn read_iso(image: &[u8], work: &mut usize) -> Result<Disk> {
    let mut volume = IsoFs::mount(Counted::new(image, ISO_SECTOR, work), MountOptions::new().read_only())
        .map_err(Error::from)?;
    let size = u64::from(volume.info().volume_space_size()) * u64::from(volume.info().block_size());
    if size > image.len() as u64 {
        bail!("it is cut short: {} bytes of {size}", image.len());
    }
    read_root(&mut volume, Kind::Iso, image.len())
}

/// Reads the label and the files of the root folder. Fails if the files have more than `room` bytes together.
fn read_root(volume: &mut impl FileSystem, kind: Kind, mut room: usize) -> Result<Disk> {
    let mut label = [0; 384];
    let label = volume.label(&mut label)?.unwrap_or_default().trim_end().to_owned();
    let mut files = Vec::new();
    let mut cursor = DirCursor::START;
    while let Some(entry) = volume.readdir(volume.root(), cursor)? {
        cursor = entry.next_cursor();
        if !entry.file_type().is_file() {
            continue;
        }
        if files.len() == MAX_FILES {
            bail!("it has more than {MAX_FILES} files");
        }
        let name = String::from_utf8_lossy(entry.name().as_bytes()).into_owned();
        let bytes = read_file(volume, &entry, &mut room).with_context(|| format!("file `{name}`"))?;
        files.push(Artifact { path: name, mode: entry.metadata().permissions().bits(), bytes });
    }
    Ok(Disk { kind, label, files })
}

fn read_file(volume: &mut impl FileSystem, entry: &DirEntry, room: &mut usize) -> Result<Secret<Vec<u8>>> {
    let size = entry.metadata().len();
    let Some(left) = usize::try_from(size).ok().and_then(|size| room.checked_sub(size)) else {
        bail!("its size of {size} bytes is larger than the disk");
    };
    let mut bytes = Secret::new(vec![0; *room - left]);
    *room = left;
    let node = volume.lookup(volume.root(), entry.name())?;
    volume.open(node, OpenMode::Read)?;
    let mut filled = 0;
    while filled < bytes.len() {
        match volume.read(node, filled as u64, &mut bytes[filled..])? {
            0 => bail!("it ends after {filled} bytes of {size}"),
            read => filled += read,
        }
    }
    volume.close(node)?;
    volume.forget(node, 1);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::path::Path;
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;
    use crate::extent::is_full;
    use crate::skip;

    fn read(image: &[u8]) -> Result<Disk> {
        super::read(image, &mut 0)
    }

    type Write = fn(&[Artifact]) -> Result<Vec<u8>>;
    const WRITERS: [(Kind, Write); 2] = [(Kind::Fat, fat), (Kind::Iso, iso)];
    const NAMES: [&str; 4] = ["meta-data", "network-config", "user-data", "vendor-data"];

    /// Makes a file of each size, all with different contents.
    fn files(sizes: &[usize]) -> Vec<Artifact> {
        let bytes = |n: usize, size| (0..size).map(|at| (at * (n + 3) % 251) as u8).collect::<Vec<_>>();
        NAMES
            .iter()
            .zip(sizes)
            .enumerate()
            .map(|(n, (name, size))| Artifact::public(*name, bytes(n, *size)))
            .collect()
    }

    fn contents(files: &[Artifact]) -> Vec<(&str, &[u8])> {
        files.iter().map(|file| (file.path.as_str(), &file.bytes[..])).collect()
    }

    fn assert_round_trip(sizes: &[usize]) {
        let files = files(sizes);
        let backwards: Vec<_> = files.iter().rev().cloned().collect();
        for (kind, write) in WRITERS {
            let image = write(&files).unwrap();
            assert_eq!(image, write(&backwards).unwrap(), "{kind:?} {sizes:?}");
            let disk = read(&image).unwrap();
            assert_eq!((disk.kind, disk.label.as_str()), (kind, "CIDATA"));
            assert_eq!(contents(&disk.files), contents(&files), "{kind:?} {sizes:?}");
        }
    }

    #[test]
    fn files_of_many_sizes_are_read_back_unchanged() {
        // Large files take seconds each in a build without optimisation.
        let large = if is_full() { &[3 << 20, 9 << 20, 20 << 20][..] } else { &[3 << 20] };
        let small = [0, 1, 511, 512, 2047, 2048, 4096, 14_000, 44_000, 65_536, 100_000, 1 << 20];
        for &size in small.iter().chain(large) {
            assert_round_trip(&[38, 0, size, 0]);
            assert_round_trip(&[38, 0, size]);
            assert_round_trip(&[size, size]);
        }
    }

    #[test]
    fn a_disk_has_little_unused_space() {
        let files = files(&[40, 0, 14_000]);
        for ((kind, write), limit) in WRITERS.into_iter().zip([64 * 1024, 384 * 1024]) {
            assert!(write(&files).unwrap().len() <= limit, "{kind:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn files_of_random_sizes_are_read_back_unchanged(sizes in prop::collection::vec(0..300_000usize, 1..5)) {
            assert_round_trip(&sizes);
        }
    }

    /// Reads a damaged image and returns whether it was refused. Reading must not panic and must not read the same bytes
    /// too often.
    fn is_refused(image: &[u8], words: &str) -> bool {
        let mut work = 0;
        let refused = catch_unwind(AssertUnwindSafe(|| super::read(image, &mut work).is_err()))
            .unwrap_or_else(|_| panic!("{words}"));
        assert!(work <= max_bytes_read(image), "{words}: {work} bytes read of {}", image.len());
        refused
    }

    /// Maximum number of bytes that may be read from an image. The limit is six times the image's size plus 1 MiB, and
    /// the read that exceeds it has at most the size of the image. A FAT disk is read twice: to check it, and to read its
    /// files.
    fn max_bytes_read(image: &[u8]) -> usize {
        2 * ((1 << 20) + 7 * image.len())
    }

    #[test]
    fn a_disk_that_needs_too_many_reads_is_refused() {
        let image = [0; 64 * 1024];
        let mut work = 0;
        let mut counted = Counted::new(&image, SECTOR, &mut work);
        let mut sector = [0; 512];
        let times =
            (0..).take_while(|_| counted.read_blocks(BlockIndex::new(0), &mut sector).is_ok()).count();
        assert_eq!(times, ((1 << 20) + 6 * image.len()) / sector.len());
    }

    #[test]
    fn an_image_that_is_cut_short_is_refused() {
        for (kind, write) in WRITERS {
            let image = write(&files(&[40, 0, 14_000])).unwrap();
            for length in (0..image.len()).step_by(509).chain([image.len() - 1]) {
                assert!(
                    is_refused(&image[..length], "cut short"),
                    "{kind:?}, {length} bytes of {}",
                    image.len()
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn a_damaged_image_is_read_or_refused(
            iso_disk: bool,
            changes in prop::collection::vec((0..4096usize, prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()]), 1..16),
        ) {
            let write = if iso_disk { iso } else { fat };
            let mut image = write(&files(&[40, 0, 3000])).unwrap();
            // The volume descriptors of an ISO disk are at sector 16 and the folders at sector 19. A FAT disk has both in
            // its first sectors.
            for (at, byte) in changes {
                let at = match at { _ if !iso_disk => at, 0..2048 => 16 * 2048 + at, _ => 19 * 2048 + at };
                image[at] = byte;
            }
            is_refused(&image, "damaged");
        }

        #[test]
        fn bytes_that_are_not_an_image_are_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..2048), boot: bool) {
            if boot && bytes.len() >= 512 {
                bytes[0] = 0xe9;
                bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
            }
            prop_assert!(is_refused(&bytes, "noise"));
        }
    }

    #[test]
    fn damage_is_reported_with_its_cause() {
        let damaged = |write: Write, at: usize, bytes: &[u8]| {
            let mut image = write(&files(&[40, 0, 14_000])).unwrap();
            image[at..at + bytes.len()].copy_from_slice(bytes);
            format!("{:#}", read(&image).unwrap_err())
        };
        assert_eq!(
            damaged(fat, 512, &[0; 64]),
            "cannot read the FAT disk: FAT entries 0 and 1 are not the media byte and end marks (byte 512)"
        );
        assert_eq!(
            damaged(fat, 11, &[7]),
            "cannot read the FAT disk: BPB bytes_per_sector must be 512, 1024, 2048, or 4096"
        );
        assert_eq!(
            damaged(iso, 16 * 2048 + 158, &[0xff; 8]),
            "cannot read the ISO 9660 disk: a pointer lies outside the image"
        );
        assert_eq!(
            damaged(iso, 19 * 2048, &[0; 64]),
            "cannot read the ISO 9660 disk: invalid directory record"
        );
        let image = iso(&files(&[40])).unwrap();
        let error = read(&image[..image.len() - 1]).unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "cannot read the ISO 9660 disk: it is cut short: 362495 bytes of 362496"
        );
        assert_eq!(
            format!("{:#}", read(b"#cloud-config\n").unwrap_err()),
            "this is neither a FAT nor an ISO 9660 disk"
        );
    }

    /// Makes a disk with other programs and reads it. Returns `None` if a program is not installed.
    fn disk_made_by(dir: &Path, script: &str) -> Option<Disk> {
        let programs = ["mkfs.fat", "mcopy", "genisoimage", "xorriso"];
        let program = programs.into_iter().find(|program| script.contains(program)).unwrap();
        if !skip::need(program) || program == "mkfs.fat" && !skip::need("mcopy") {
            return None;
        }
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        let output =
            Command::new("sh").args(["-euc", script]).current_dir(dir).env("PATH", path).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        Some(read(&fs::read(dir.join("disk")).unwrap()).unwrap_or_else(|error| panic!("{script}: {error:#}")))
    }

    #[test]
    fn disks_of_other_programs_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(&[40, 0, 14_000]);
        for file in &files {
            fs::write(dir.path().join(&file.path), &file.bytes[..]).unwrap();
        }
        let names = "meta-data network-config user-data";
        for (label, script) in [
            ("CIDATA", format!("mkfs.fat -C -n CIDATA disk 360; mmd -i disk ::/x; mcopy -i disk {names} ::")),
            ("CIDATA", format!("rm disk; mkfs.fat -C -F 16 -n CIDATA disk 20000; mcopy -i disk {names} ::")),
            ("cidata", format!("rm disk; mkfs.fat -C -F 32 -n cidata disk 40000; mcopy -i disk {names} ::")),
            ("cidata", format!("genisoimage -quiet -V cidata -J -r -o disk {names}")),
            ("cidata", format!("genisoimage -quiet -V cidata -J -o disk {names}")),
            ("cidata", format!("xorriso -as mkisofs -V cidata -r -o disk {names}")),
        ] {
            let Some(disk) = disk_made_by(dir.path(), &script) else { continue };
            assert_eq!(disk.label, label, "{script}");
            let mut got = disk.files;
            got.sort_by(|a, b| a.path.cmp(&b.path));
            assert_eq!(contents(&got), contents(&files), "{script}");
        }
    }
}
