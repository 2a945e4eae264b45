//! Folders of the node's computer, and files that are sent to it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A folder of the node's computer, for choosing one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FolderInfo {
    /// Its absolute path.
    pub path: String,
    /// The folder that it is in; absent at the top.
    pub parent: Option<String>,
    /// The folders in it, by name.
    pub folders: Vec<FolderEntry>,
    /// There are more than can be told: 10,000.
    pub more: bool,
    /// The user's own folder, if there is one.
    pub home: Option<String>,
    /// Where content goes when nobody says where.
    pub download_folder: String,
}

/// A folder in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FolderEntry {
    /// Its name.
    pub name: String,
    /// Its absolute path.
    pub path: String,
}

/// Makes a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FolderRequest {
    /// Its absolute path. The folder that it is to be in is there.
    pub path: String,
}

/// Begins to send files to the node's computer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UploadRequest {
    /// What the folder for them is to be called; where there is one of that name, it gets a number.
    pub name: Option<String>,
}

/// Files that are sent to the node's computer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadInfo {
    /// Its name in calls.
    pub id: String,
    /// The absolute path of the folder that was made for them.
    pub folder: String,
}

/// A file that was sent to the node's computer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadedFile {
    /// Its absolute path, by which it can be shared. A name that the file system does not take is changed.
    pub path: String,
    /// How long it is.
    pub size_bytes: u64,
}
