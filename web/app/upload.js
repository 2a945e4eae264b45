// Sends files of this computer to the node's, with how far it is: one after the other, as they lie in their folders.

import { api, Problem } from "./api.js";
import { t } from "./texts.js";

/** How many files are sent at most. Arbitrary: who has more shares the folder where it lies. */
const MOST = 5000;

/** The files in what was dropped: `{ path, file }`, with the folders that they are in. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (entries.length === 0) return [...transfer.files].map((file) => ({ path: file.name, file }));
  const found = [];
  const read = async (entry, before) => {
    if (found.length > MOST) return;
    const path = before + entry.name;
    if (entry.isFile) {
      found.push({ path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) });
      return;
    }
    const reader = entry.createReader();
    // A reader tells of some entries at a time, and of none at its end.
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) return;
      for (const inner of some) await read(inner, `${path}/`);
    }
  };
  for (const entry of entries) await read(entry, "");
  return found;
}

/** The files that were chosen in a field. */
export const picked = (files) => [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

const encode = (path) => path.split("/").map(encodeURIComponent).join("/");

function put(address, file, onProgress, stop) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const end = () => request.abort();
    const fail = (problem) => reject(new Problem(problem));
    request.open("PUT", api.url(address));
    request.setRequestHeader("content-type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = ({ loaded }) => onProgress(loaded);
    request.onerror = () => fail({ type: "unreachable", detail: t("upload.broken", { name: file.name }) });
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    request.onload = () => {
      stop.removeEventListener("abort", end);
      if (request.status === 201) resolve(request.response);
      else fail({ detail: t("problem.status", request), ...request.response });
    };
    stop.addEventListener("abort", end);
    request.send(file);
  });
}

/** The folder that all of them are in; "" where there is none. */
function commonFolder(files) {
  const [first, ...rest] = files[0].path.split("/");
  return rest.length > 0 && files.every(({ path }) => path.startsWith(`${first}/`)) ? first : "";
}

/** What is sent, as it is called: the folder, the file, or how many. */
export const nameOf = (files) =>
  commonFolder(files) || (files.length === 1 ? files[0].file.name : t("upload.several", { count: files.length }));

/**
 * Sends files; `onProgress` gets the bytes so far. -> The path of the file or folder on the node's computer. What was
 * sent is removed there when it does not end well.
 */
export async function upload(files, onProgress, stop) {
  if (files.length === 0) throw new Problem({ detail: t("upload.nothing") });
  if (files.length > MOST) throw new Problem({ detail: t("upload.too-many", { count: MOST }) });
  const folder = commonFolder(files);
  const { id, folder: at } = await api.post("/uploads", { name: nameOf(files) });
  let before = 0;
  let written = null;
  try {
    for (const { path, file } of files) {
      const inside = folder ? path.slice(folder.length + 1) : path;
      const sofar = before;
      written = await put(`/uploads/${id}/${encode(inside)}`, file, (bytes) => onProgress(sofar + bytes), stop);
      before += file.size;
      onProgress(before);
    }
  } catch (problem) {
    api.delete(`/uploads/${id}`).catch(() => {});
    throw problem;
  }
  return folder || files.length > 1 ? at : written.path;
}
