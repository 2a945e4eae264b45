// The tabs, in the order in which they are shown. One is a folder beside this file, and one line here.

import controls from "./controls/index.js";
import inbox from "./inbox/index.js";
import messages from "./messages/index.js";
import network from "./network/index.js";
import people from "./people/index.js";
import share from "./share/index.js";
import transfers from "./transfers/index.js";

export const tabs = [transfers, share, messages, people, inbox, network, controls];
