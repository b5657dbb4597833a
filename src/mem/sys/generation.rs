// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which layout of the DeepStream structs is in use.

use std::mem::size_of;
use std::path::Path;

use super::surface::{ParamsA, ParamsC, SurfaceA, SurfaceC};

/// Where DeepStream says which release it is.
pub const VERSION_FILE: &str = "/opt/nvidia/deepstream/deepstream/version";

/// Plugins that every DeepStream installation has and that carry its version.
const PLUGINS: [&str; 2] = ["nvdsgst_infer", "nvdsgst_multistream"];

/// The releases whose structs are laid out alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generation {
    /// Up to 7.1.
    A,
    /// 8.x.
    B,
    /// From 9.0. Its surfaces are those of `B`; only the metadata differs.
    C,
}

impl Generation {
    pub const ALL: [Self; 3] = [Self::A, Self::B, Self::C];

    /// From the version of a DeepStream release, as `7.1`.
    pub fn parse(version: &str) -> Option<Self> {
        let mut numbers = version.trim().split('.').map(str::parse::<u32>);
        let major = numbers.next()?.ok()?;
        if major == 0 || numbers.any(|n| n.is_err()) {
            return None;
        }
        Some(match major {
            ..8 => Self::A,
            8 => Self::B,
            _ => Self::C,
        })
    }

    /// The generation of the DeepStream installed here, and by what it was recognised.
    pub fn detect_installed() -> Option<(Self, String)> {
        let registry = gst::Registry::get();
        let version_of = |name: &str| {
            registry
                .find_plugin(name)
                .map(|plugin| plugin.version().to_string())
        };
        Self::detect(version_of, Path::new(VERSION_FILE))
    }

    /// [`Self::detect_installed`] with its sources given: the versions of installed plugins, and
    /// the version file.
    pub fn detect(
        plugin_version: impl Fn(&str) -> Option<String>,
        version_file: &Path,
    ) -> Option<(Self, String)> {
        let from_plugin = PLUGINS.iter().find_map(|name| {
            let version = plugin_version(name)?;
            let generation = Self::parse(&version)?;
            Some((generation, format!("plugin {name} {version}")))
        });
        from_plugin.or_else(|| {
            let text = std::fs::read_to_string(version_file).ok()?;
            let version = text
                .lines()
                .find_map(|line| line.trim().strip_prefix("Version:"))?
                .trim();
            let generation = Self::parse(version)?;
            Some((generation, format!("{}: {version}", version_file.display())))
        })
    }

    /// Bytes of an `NvBufSurface`, which are the bytes of a buffer in NVMM memory.
    pub const fn surface_size(self) -> usize {
        match self {
            Self::A => size_of::<SurfaceA>(),
            Self::B | Self::C => size_of::<SurfaceC>(),
        }
    }

    /// Bytes from one `NvBufSurfaceParams` to the next.
    pub const fn params_size(self) -> usize {
        match self {
            Self::A => size_of::<ParamsA>(),
            Self::B | Self::C => size_of::<ParamsC>(),
        }
    }

    /// The generation whose `NvBufSurface` has this size. `C` also stands for `B` here, as their
    /// surfaces cannot be told apart and need not be.
    pub const fn of_surface_size(size: usize) -> Option<Self> {
        if size == Self::A.surface_size() {
            Some(Self::A)
        } else if size == Self::C.surface_size() {
            Some(Self::C)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn versions() {
        for (text, want) in [
            ("6.2", Some(Generation::A)),
            ("6.4", Some(Generation::A)),
            (" 7.1\n", Some(Generation::A)),
            ("8.0", Some(Generation::B)),
            ("8", Some(Generation::B)),
            ("9.0", Some(Generation::C)),
            ("9.1.2", Some(Generation::C)),
            ("10.0", Some(Generation::C)),
            ("", None),
            ("auto", None),
            ("8.x", None),
            ("0.1", None),
            ("-7.1", None),
        ] {
            assert_eq!(Generation::parse(text), want, "{text:?}");
        }
    }

    #[test]
    fn a_plugin_tells_the_version_before_the_file_does() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "Name: DeepStream\nVersion: 8.0\nGCID: 1").unwrap();
        let (generation, how) = Generation::detect(
            |name| (name == "nvdsgst_multistream").then(|| "6.3".to_string()),
            file.path(),
        )
        .unwrap();
        assert_eq!(generation, Generation::A);
        assert!(how.contains("nvdsgst_multistream"), "{how}");

        let (generation, how) = Generation::detect(|_| None, file.path()).unwrap();
        assert_eq!(generation, Generation::B);
        assert!(how.contains("8.0"), "{how}");
    }

    #[test]
    fn nothing_installed_is_no_generation() {
        assert_eq!(
            Generation::detect(|_| None, Path::new("/nonexistent")),
            None
        );
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "Version: unknown").unwrap();
        assert_eq!(
            Generation::detect(|_| Some("unknown".into()), file.path()),
            None
        );
    }
}
