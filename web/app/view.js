// The view library, in one place: everything of `vendor` that draws the page comes through here.

import { h, Component, Fragment, render, createContext } from "../vendor/preact/preact.mjs";
import htm from "../vendor/htm/htm.mjs";

export { h, Component, Fragment, render, createContext };
export {
  useCallback, useContext, useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useReducer, useRef, useState,
} from "../vendor/preact/hooks.mjs";
export {
  batch, computed, effect, signal, untracked, useComputed, useSignal, useSignalEffect,
} from "../vendor/signals/signals.mjs";

export const html = htm.bind(h);

/** Joins the names of classes that are there. */
export const classes = (...names) => names.filter(Boolean).join(" ");
