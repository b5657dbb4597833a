// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Finding the library, and what of it is used.

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{OsString, c_int, c_uchar, c_void};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::{Mutex, PoisonError};

use cudarc::driver::sys::CUstream;
use libloading::Library;

use super::error::{NvJpegError, Status};
use crate::mem::cuda::{Gpu, probe};

/// Versions with the interface below, newest first.
const VERSIONS: [i32; 3] = [13, 12, 11];

/// `nvjpegImage_t`: where the planes lie.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Image {
    pub channel: [*mut c_uchar; 4],
    pub pitch: [usize; 4],
}

const _: () = assert!(size_of::<Image>() == 64 && align_of::<Image>() == 8);
const _: () = assert!(std::mem::offset_of!(Image, pitch) == 32);

/// `nvjpegChromaSubsampling_t`.
pub(super) const CSS_444: c_int = 0;
pub(super) const CSS_422: c_int = 1;
pub(super) const CSS_420: c_int = 2;
pub(super) const CSS_GRAY: c_int = 6;

/// `nvjpegInputFormat_t`, the interleaved ones.
pub(super) const INPUT_RGBI: c_int = 5;
pub(super) const INPUT_BGRI: c_int = 6;

/// `libraryPropertyType`.
const MAJOR_VERSION: c_int = 0;

/// Structs of the library, which only it looks into.
pub(super) type Opaque = *mut c_void;

/// Functions by their C names. Enums are `int`: what comes back may be any number.
macro_rules! functions {
    ($($name:ident: $symbol:literal ($($argument:ty),*);)*) => {
        #[derive(Debug)]
        pub(super) struct Functions {
            $(pub $name: unsafe extern "C" fn($($argument),*) -> c_int,)*
        }

        impl Functions {
            /// # Safety
            /// They must not be called after the library is closed.
            unsafe fn of(library: &Library) -> Result<Self, libloading::Error> {
                Ok(Self {
                    $(
                        // SAFETY: the type is that of nvjpeg.h in all of `VERSIONS`.
                        $name: *unsafe { library.get(concat!($symbol, "\0"))? },
                    )*
                })
            }
        }
    };
}

functions! {
    get_property: "nvjpegGetProperty" (c_int, *mut c_int);
    create: "nvjpegCreateSimple" (*mut Opaque);
    state_create: "nvjpegEncoderStateCreate" (Opaque, *mut Opaque, CUstream);
    state_destroy: "nvjpegEncoderStateDestroy" (Opaque);
    params_create: "nvjpegEncoderParamsCreate" (Opaque, *mut Opaque, CUstream);
    params_destroy: "nvjpegEncoderParamsDestroy" (Opaque);
    set_quality: "nvjpegEncoderParamsSetQuality" (Opaque, c_int, CUstream);
    set_sampling: "nvjpegEncoderParamsSetSamplingFactors" (Opaque, c_int, CUstream);
    encode_image: "nvjpegEncodeImage"
        (Opaque, Opaque, Opaque, *const Image, c_int, c_int, c_int, CUstream);
    encode_yuv: "nvjpegEncodeYUV"
        (Opaque, Opaque, Opaque, *const Image, c_int, c_int, c_int, CUstream);
    retrieve: "nvjpegEncodeRetrieveBitstream"
        (Opaque, Opaque, *mut c_uchar, *mut usize, CUstream);
}

impl Functions {
    fn version(&self) -> Result<i32, NvJpegError> {
        let mut version = 0;
        // SAFETY: the pointer is valid; this call needs nothing else.
        let status = unsafe { (self.get_property)(MAJOR_VERSION, &mut version) };
        Status(status).check("nvjpegGetProperty")?;
        Ok(version)
    }
}

/// The newest version for a driver of this CUDA version (1000 * major + 10 * minor) and a GPU of
/// this compute capability (10 * major + minor). CUDA 13 left out what is older than 7.5.
fn newest(driver: i32, capability: i32) -> i32 {
    match capability {
        ..75 => 12.min(driver / 1000),
        _ => driver / 1000,
    }
}

/// Where the toolkit has its libraries, below its own folder.
fn folders(home: Option<OsString>) -> Vec<PathBuf> {
    let target = match std::env::consts::ARCH {
        "aarch64" => "sbsa",
        arch => arch,
    };
    let below = |toolkit: &Path| {
        [
            toolkit.join("lib64"),
            toolkit.join(format!("targets/{target}-linux/lib")),
            // Of conda and of Python packages.
            toolkit.join("lib"),
        ]
    };
    let home = home.map(PathBuf::from).filter(|home| home.is_absolute());
    let usual = PathBuf::from("/usr/local/cuda");
    home.iter()
        .filter(|home| **home != usual)
        .chain([&usual])
        .flat_map(|toolkit| below(toolkit))
        .collect()
}

/// What the files are called, in the order in which they are tried. That of no version may be any,
/// and on Jetson is another library altogether.
fn names(newest: i32) -> Vec<String> {
    VERSIONS
        .iter()
        .filter(|version| **version <= newest)
        .map(|version| format!("libnvjpeg.so.{version}"))
        .chain(["libnvjpeg.so".to_string()])
        .collect()
}

/// Opens one file, and keeps it open for good: threads of its CUDA runtime may be in it until the
/// process ends.
fn open(file: &Path, newest: i32) -> Result<Functions, String> {
    // SAFETY: initialisers of nvJPEG, and of what else has its name on this machine.
    let library = unsafe { Library::new(file) }.map_err(|error| cause(&error))?;
    // SAFETY: closed only if they are not used.
    let functions = unsafe { Functions::of(&library) }.map_err(|error| cause(&error))?;
    let version = functions.version().map_err(|error| error.to_string())?;
    if version > newest {
        return Err(format!("it is version {version}"));
    }
    std::mem::forget(library);
    Ok(functions)
}

/// What the linker said.
fn cause(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or(error.to_string(), |source| source.to_string())
}

fn search(newest: i32, home: Option<OsString>) -> Result<Functions, NvJpegError> {
    let (names, folders) = (names(newest), folders(home));
    let mut faults = String::new();
    for name in &names {
        // A bare name is looked up by the linker, and also found if the process has it already.
        let places = [PathBuf::from(name)]
            .into_iter()
            .chain(folders.iter().map(|folder| folder.join(name)));
        for file in places {
            let bare = file.components().count() == 1;
            if !bare && !file.exists() {
                continue;
            }
            match open(&file, newest) {
                Ok(functions) => return Ok(functions),
                // Said of each name that is not there.
                Err(fault) if bare && fault.contains("No such file") => {}
                Err(fault) => {
                    let _ = write!(faults, "; {}: {fault}", file.display());
                }
            }
        }
    }
    let folders: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
    Err(NvJpegError::NotFound {
        tried: format!(
            "tried {} by the linker and in {}{faults}",
            names.join(", "),
            folders.join(", ")
        ),
        newest,
    })
}

/// The library for GPUs that take versions up to this one, opened once. A failure is not
/// remembered: the next call tries again.
fn functions(newest: i32) -> Result<&'static Functions, NvJpegError> {
    static OPENED: Mutex<BTreeMap<i32, &'static Functions>> = Mutex::new(BTreeMap::new());
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(functions) = opened.get(&newest) {
        return Ok(functions);
    }
    let functions = Box::leak(Box::new(search(newest, std::env::var_os("CUDA_HOME"))?));
    opened.insert(newest, functions);
    Ok(functions)
}

/// nvJPEG on one GPU. Threads may share it.
#[derive(Debug)]
pub(super) struct Handle {
    pub functions: &'static Functions,
    pub raw: Opaque,
}

// SAFETY: the documentation says that a handle can be used by several threads at once; what cannot
// is the state of an encoder.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// The one for this GPU, which is kept until the process ends, as its context is.
    pub fn get(gpu: Gpu) -> Result<&'static Self, NvJpegError> {
        static HANDLES: Mutex<BTreeMap<u32, &'static Handle>> = Mutex::new(BTreeMap::new());
        let mut handles = HANDLES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = handles.get(&gpu.ordinal()) {
            return Ok(handle);
        }
        let handle = Box::leak(Box::new(Self::new(gpu)?));
        handles.insert(gpu.ordinal(), handle);
        Ok(handle)
    }

    fn new(gpu: Gpu) -> Result<Self, NvJpegError> {
        let functions = functions(newest(probe()?.version, gpu.capability()?))?;
        let _bound = gpu.bind()?;
        let mut raw = null_mut();
        // SAFETY: the pointer is valid, and the context of the GPU is current.
        let status = unsafe { (functions.create)(&mut raw) };
        Status(status).check("nvjpegCreateSimple")?;
        Ok(Self { functions, raw })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_fit_driver_and_gpu() {
        assert_eq!(newest(12_020, 90), 12);
        assert_eq!(newest(13_000, 90), 13);
        assert_eq!(newest(13_000, 75), 13);
        assert_eq!(newest(13_000, 70), 12);
        assert_eq!(
            names(12).join(" "),
            "libnvjpeg.so.12 libnvjpeg.so.11 libnvjpeg.so"
        );
        assert_eq!(names(14).len(), 4);
    }

    #[test]
    fn cuda_home_comes_first() {
        let folders = folders(Some("/opt/cuda".into()));
        assert_eq!(folders[0], Path::new("/opt/cuda/lib64"));
        assert_eq!(folders[3], Path::new("/usr/local/cuda/lib64"));
        assert_eq!(folders.len(), 6);
        for home in ["/usr/local/cuda", "", "somewhere"] {
            assert_eq!(super::folders(Some(home.into())), super::folders(None));
        }
    }

    #[test]
    fn what_was_tried_is_named() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("lib64");
        std::fs::create_dir(&folder).unwrap();
        // What is called so on Jetson is a library of other functions.
        let file = folder.join("libnvjpeg.so");
        std::fs::write(&file, "no library").unwrap();
        // No version is as old as that, so what the machine has is not found.
        let error = search(0, Some(home.path().into())).unwrap_err();
        assert!(error.is_absence());
        let message = error.to_string();
        assert!(message.contains("/usr/local/cuda/lib64"), "{message}");
        assert!(
            message.contains(&format!("{}: ", file.display())),
            "{message}"
        );
        assert!(message.contains("file too short"), "{message}");
    }

    #[test]
    fn a_library_without_the_functions_is_refused() {
        let error = open(Path::new("libc.so.6"), 99).unwrap_err();
        assert!(error.contains("nvjpegGetProperty"), "{error}");
    }

    /// Of versions that no machine at hand runs: without a GPU, but not without the library. That of
    /// a machine with a GPU is opened and used by `tests/gpu/nvjpeg.rs`.
    #[test]
    #[ignore = "needs libnvjpeg: CUDA_HOME=FOLDER cargo test --lib the_real_library -- --ignored"]
    fn the_real_library_has_the_functions() {
        for version in VERSIONS {
            if let Ok(functions) = search(version, std::env::var_os("CUDA_HOME")) {
                let got = functions.version().unwrap();
                println!("up to {version}: {got}");
                assert!(got <= version);
            }
        }
        search(VERSIONS[0], std::env::var_os("CUDA_HOME")).unwrap();
    }
}
