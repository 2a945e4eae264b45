// Share: a folder or files, for everybody with the link, for people, or for a group.

import { Share } from "./view.js";

export default {
  id: "share",
  icon: "share-2",
  style: true,
  view: Share,
};
