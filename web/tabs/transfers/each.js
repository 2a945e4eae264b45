// Doing the same with many torrents.

import { tellProblem } from "../../app/toast.js";

/** How many requests are under way at once. Half of what a browser allows to one server. */
const AT_ONCE = 3;

/** Does something with each, a few at once; -> how many went `good`, and the `problem` of the first that did not. */
export async function eachOf(ids, act) {
  let good = 0;
  let problem = null;
  const left = [...ids];
  const work = async () => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      try {
        await act(id);
        good += 1;
      } catch (failure) {
        problem ??= failure;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { good, problem };
}

/** The same; says what went wrong first; -> how many went well. */
export async function each(ids, act) {
  const { good, problem } = await eachOf(ids, act);
  if (problem) tellProblem(problem);
  return good;
}
