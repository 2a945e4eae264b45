// Inbox: what others share with the user, whose shares are taken without asking, and libraries.

import { waiting } from "./offers.js";
import { Inbox } from "./view.js";

export default {
  id: "inbox",
  icon: "inbox",
  style: true,
  view: Inbox,
  badge: waiting,
};
