// People: contacts, groups, invitations, and the person's own computers.

import { requests } from "./contacts.js";
import { People } from "./view.js";

export default {
  id: "people",
  icon: "users",
  style: true,
  view: People,
  badge: () => requests().length,
};
