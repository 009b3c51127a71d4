//! Makes everything durable that was written to a file system, with one call.

use std::fs::File;
use std::io;
#[cfg(target_os = "linux")]
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The first version of Linux on which syncfs(2) reports that something could not be written.
#[cfg(target_os = "linux")]
const REPORTS_ERRORS: (u32, u32) = (5, 8);

/// The file system of a folder.
pub struct FileSystem(File);

impl FileSystem {
    /// Opens the file system of a folder. [`sync`](Self::sync) reports what could not be written since then. None if one of `others` is on
    /// another one, and on systems that cannot sync it as a whole, or would not report that.
    pub fn of<'a>(folder: &Path, others: impl IntoIterator<Item = &'a Path>) -> Option<Self> {
        #[cfg(target_os = "linux")]
        {
            let device = |folder: &Path| Some(folder.metadata().ok()?.dev());
            let own = device(folder)?;
            let is_here = |other: &Path| device(other) == Some(own);
            if version(rustix::system::uname().release().to_str().ok()?)? >= REPORTS_ERRORS
                && others.into_iter().all(is_here)
            {
                return File::open(folder).ok().map(Self);
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (folder, others);
        None
    }

    /// Writes all files and folders to the disk, including those of other programs, and waits until they are there.
    ///
    /// # Errors
    /// Fails if anything on the file system could not be written since [`of`](Self::of).
    pub fn sync(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        rustix::fs::syncfs(&self.0)?;
        let _ = &self.0;
        Ok(())
    }
}

/// The first two numbers of a release of Linux: `6.1.0-28-amd64`, `5.10-rc1`.
#[cfg(target_os = "linux")]
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn releases_of_linux_are_compared_by_number() {
        assert_eq!(version("6.1.0-28-amd64"), Some((6, 1)));
        assert_eq!(version("5.10-rc1"), Some((5, 10)));
        assert_eq!(version("4.19.0"), Some((4, 19)));
        assert_eq!(version("next"), None);
        assert!(version("5.10.0").unwrap() > REPORTS_ERRORS && version("5.4.0").unwrap() < REPORTS_ERRORS);
    }

    #[test]
    fn a_file_system_is_synced() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("folder");
        std::fs::create_dir(&folder).unwrap();
        if let Some(file_system) = FileSystem::of(dir.path(), [&*folder]) {
            std::fs::write(folder.join("file"), "text").unwrap();
            file_system.sync().unwrap();
        }
        for other in [Path::new("/proc"), &dir.path().join("missing")] {
            assert!(FileSystem::of(dir.path(), [other]).is_none());
        }
    }
}
