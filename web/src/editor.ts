/* The SQL editor: its own chunk, loaded when the SQL page opens. */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type CompletionContext } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { sql } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, Prec, RangeSetBuilder, type Extension } from "@codemirror/state";
import { Decoration, drawSelection, EditorView, highlightActiveLineGutter, highlightSpecialChars, keymap, lineNumbers, placeholder, ViewPlugin, type DecorationSet, type ViewUpdate } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { CatalogTable } from "./catalog";
import { varveSql } from "./dialect";
import { styleNonce } from "./nonce";
import { statementAt, statements, tokenAt, type Span } from "./sqltext";

export interface EditorProblem {
  at: number; // in the document
  message: string;
  hint: string | null;
}
export interface Editor {
  text: () => string;
  setText: (text: string) => void;
  insert: (text: string) => void;
  runnable: (what: "here" | "all") => Span[]; // "here": the selected statements, else the one at the cursor
  showProblem: (problem: EditorProblem | null) => void;
  goTo: (at: number) => void;
  setCatalog: (tables: CatalogTable[]) => void;
  focus: () => void;
  destroy: () => void;
}
interface EditorOptions {
  text: string;
  onRun: (what: "here" | "all") => void;
  onChange: (text: string) => void;
}

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--code-keyword)", fontWeight: "600" },
  { tag: [tags.typeName, tags.standard(tags.name)], color: "var(--code-type)" },
  { tag: tags.string, color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: [tags.lineComment, tags.blockComment], color: "var(--ink-3)", fontStyle: "italic" },
  { tag: tags.operator, color: "var(--ink-2)" },
]);

const look = EditorView.theme({
  "&": { minHeight: "138px", backgroundColor: "var(--card)", color: "var(--ink)", fontSize: "13.5px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6" },
  ".cm-content": { caretColor: "var(--ink)", padding: "10px 0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--card)", color: "var(--ink-3)", border: "none" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 10px 0 12px", minWidth: "34px" },
  ".cm-activeLineGutter": { backgroundColor: "transparent", color: "var(--ink)" },
  ".cm-at-cursor": { boxShadow: "inset 3px 0 0 var(--accent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--selection)" },
  ".cm-selectionMatch": { backgroundColor: "var(--accent-soft)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--accent)" },
  ".cm-placeholder": { color: "var(--ink-3)" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--ink)", border: "1px solid var(--line-2)", borderRadius: "6px", boxShadow: "var(--shadow)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "16em" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--accent-ink)" },
  ".cm-completionDetail": { color: "inherit", opacity: "0.75", fontStyle: "normal", marginLeft: "1.2em" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-diagnostic": { fontFamily: "var(--sans)", padding: "6px 10px", maxWidth: "min(46ch, 80vw)", whiteSpace: "pre-wrap" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--bad)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad) 1.5px", textUnderlineOffset: "3px", backgroundColor: "var(--bad-soft)" },
  ".cm-panels": { backgroundColor: "var(--sunk)", color: "var(--ink)", borderColor: "var(--line)" },
  ".cm-panel input, .cm-panel button": { fontFamily: "var(--sans)", backgroundImage: "none", backgroundColor: "var(--card)", color: "var(--ink)", border: "1px solid var(--line-2)", borderRadius: "4px" },
});

/* Marks the lines of the statement that would run, when there are several. */
function markStatement(view: EditorView): DecorationSet {
  const marks = new RangeSetBuilder<Decoration>();
  const text = view.state.doc.toString();
  const span = statements(text).length > 1 ? statementAt(text, view.state.selection.main.head) : null;
  if (span) {
    for (let at = span.from; at <= span.to; ) {
      const line = view.state.doc.lineAt(at);
      marks.add(line.from, line.from, Decoration.line({ class: "cm-at-cursor" }));
      at = line.to + 1;
    }
  }
  return marks.finish();
}

const statementMark = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = markStatement(view);
    }
    update(update: ViewUpdate) {
      if (update.docChanged || update.selectionSet) this.decorations = markStatement(update.view);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

/* {schema: {table: [columns]}}: completion offers tables after a schema, and columns after a table. */
function language(tables: CatalogTable[]): Extension {
  const schema: Record<string, Record<string, { label: string; type: string; detail: string }[]>> = {};
  for (const table of tables) {
    const inSchema = (schema[table.schema_name] ??= {});
    inSchema[table.table_name] = (table.columns ?? []).map((c) => ({ label: c.name, type: "property", detail: c.type }));
  }
  return sql({ dialect: varveSql, schema, upperCaseKeywords: true });
}

/* Columns of every table the statement names, without typing the table first. */
const plainColumns = (tables: () => CatalogTable[]) =>
  varveSql.language.data.of({
    autocomplete: (context: CompletionContext) => {
      const word = context.matchBefore(/\w+/);
      if (!word || (word.from > 0 && context.state.sliceDoc(word.from - 1, word.from) === ".")) return null;
      const text = context.state.doc.toString();
      const span = statementAt(text, context.pos);
      const statement = span ? text.slice(span.from, span.to).toLowerCase() : "";
      const used = tables().filter((t) => statement.includes(t.name.toLowerCase()));
      const options = used.flatMap((t) => (t.columns ?? []).map((c) => ({ label: c.name, type: "property", detail: `${c.type} · ${t.table_name}`, boost: 2 })));
      return options.length ? { from: word.from, options, validFor: /^\w*$/ } : null;
    },
  });

/* Typing over a selection, done by us: a browser would put inline styles on what it inserts, which the content policy forbids. */
function typeOver(event: InputEvent, view: EditorView): boolean {
  const { from, to, empty } = view.state.selection.main;
  const text = event.data;
  if (event.inputType !== "insertText" || !text || empty || view.composing || !event.cancelable) return false;
  event.preventDefault();
  const insert = () => view.state.update(view.state.replaceSelection(text), { userEvent: "input.type", scrollIntoView: true });
  const handled = view.state.facet(EditorView.inputHandler).some((handler) => handler(view, from, to, text, insert));
  if (!handled) view.dispatch(insert());
  return true;
}

function diagnostics(state: EditorState, problem: EditorProblem | null): Diagnostic[] {
  if (!problem) return [];
  const span = tokenAt(state.doc.toString(), problem.at);
  return [{ from: span.from, to: span.to, severity: "error", message: problem.hint ? `${problem.message}\n${problem.hint}` : problem.message }];
}

export function createEditor(parent: HTMLElement, options: EditorOptions): Editor {
  const languageSlot = new Compartment();
  let tables: CatalogTable[] = [];
  const run = (what: "here" | "all") => () => {
    options.onRun(what);
    return true;
  };
  const state = EditorState.create({
    doc: options.text,
    extensions: [
      EditorView.cspNonce.of(styleNonce),
      lineNumbers(), highlightActiveLineGutter(), highlightSpecialChars(), history(), drawSelection(), EditorView.lineWrapping, indentOnInput(), bracketMatching(), closeBrackets(), highlightSelectionMatches(),
      syntaxHighlighting(colours), look, statementMark, placeholder("SELECT …"),
      autocompletion({ icons: false, maxRenderedOptions: 60 }),
      EditorView.domEventHandlers({ beforeinput: typeOver }),
      languageSlot.of(language([])), plainColumns(() => tables),
      Prec.highest(keymap.of([{ key: "Mod-Enter", run: run("here") }, { key: "Shift-Mod-Enter", run: run("all") }])),
      keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap, indentWithTab]),
      EditorView.contentAttributes.of({ "aria-label": "SQL. Control or Command with Enter runs the statement; Escape, then Tab, leaves the editor.", autocapitalize: "off", spellcheck: "false" }),
      EditorView.updateListener.of((update) => update.docChanged && options.onChange(update.state.doc.toString())),
    ],
  });
  const view = new EditorView({ state, parent });
  const text = () => view.state.doc.toString();
  return {
    text,
    setText: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next }, selection: { anchor: 0 } }),
    insert: (piece) => {
      view.dispatch(view.state.replaceSelection(piece));
      view.focus();
    },
    runnable: (what) => {
      const all = text();
      if (what === "all") return statements(all);
      const { from, to, head } = view.state.selection.main;
      const chosen = statements(all.slice(from, to)).map((s) => ({ from: from + s.from, to: from + s.to }));
      const here = statementAt(all, head);
      return chosen.length ? chosen : here ? [here] : [];
    },
    showProblem: (problem) => view.dispatch(setDiagnostics(view.state, diagnostics(view.state, problem))),
    goTo: (at) => {
      view.dispatch({ selection: { anchor: Math.min(at, view.state.doc.length) }, scrollIntoView: true });
      view.focus();
    },
    setCatalog: (next) => {
      tables = next;
      view.dispatch({ effects: languageSlot.reconfigure(language(next)) });
    },
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}
