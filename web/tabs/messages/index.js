// Messages: talking with people and in the rooms of groups, live.

import { chats } from "../../app/node.js";
import { Messages } from "./view.js";

export default {
  id: "messages",
  icon: "message-circle",
  style: true,
  view: Messages,
  badge: () => chats.list("unread", "muted").reduce((sum, { unread, muted }) => sum + (muted ? 0 : unread), 0),
};
