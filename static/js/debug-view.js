// Draws an answer on the debug page: numbers, text, tables, plot, headers. Text only, never markup.
"use strict";

window.SlipwayDebug = window.SlipwayDebug || {};

(function (debug) {
  const FIRST_NUMBERS = 6;
  const byId = (id) => document.getElementById(id);

  debug.View = class {
    clear() {
      ["answer-text", "answer-body", "answer-header-lines", "answer-table"].forEach((id) => byId(id).replaceChildren());
      byId("answer-problem").hidden = byId("answer-status").hidden = byId("answer-empty").hidden = true;
      byId("answer-numbers").hidden = false;
      document.querySelectorAll("[data-number]").forEach((cell) => (cell.textContent = "–"));
      if (window.Plotly) window.Plotly.purge("answer-plot");
    }

    start(frame) {
      const badge = byId("answer-status");
      badge.textContent = `${frame.status} ${frame.reason}`.trim();
      badge.className = `badge ${frame.status < 400 ? "bg-green-lt" : "bg-red-lt"}`;
      badge.hidden = false;
      byId("answer-header-lines").textContent = frame.headers.map(([name, value]) => `${name}: ${value}`).join("\n");
      if (frame.advice) this.problem(frame.advice + (frame.request_id ? ` Request id: ${frame.request_id}` : ""));
    }

    problem(text) {
      const box = byId("answer-problem");
      box.textContent = text;
      box.hidden = false;
    }

    number(name, value) {
      const cell = document.querySelector(`[data-number="${name}"]`);
      if (cell) cell.textContent = value;
    }

    raw(text) {
      byId("answer-body").append(text);
    }

    text(text) {
      byId("answer-text").append(text);
    }

    // A whole JSON answer in the way that suits what it is.
    json(body) {
      const pretty = JSON.stringify(body, null, 2);
      byId("answer-body").textContent = pretty;
      if (debug.textOf(body)) return this.text(debug.textOf(body));
      if (Array.isArray(body.predictions)) return this.predictions(body.predictions);
      if (Array.isArray(body.data) && body.data.some((item) => item.embedding)) return this.vectors(body.data);
      return this.text(body.error && body.error.message ? body.error.message : pretty);
    }

    predictions(values) {
      const rows = values.map((value, number) => [String(number + 1), typeof value === "object" ? JSON.stringify(value) : String(value)]);
      byId("answer-table").replaceChildren(table(["Row", "Prediction"], rows));
    }

    vectors(items) {
      const rows = items.map((item, number) => {
        const vector = item.embedding || [];
        if (!Array.isArray(vector)) return [String(number + 1), "–", "–", "encoded as base64"];
        const length = Math.hypot(...vector);
        const first = vector.slice(0, FIRST_NUMBERS).map((value) => value.toFixed(4)).join(", ");
        return [String(number + 1), String(vector.length), length.toFixed(3), `${first}, …`];
      });
      byId("answer-table").append(table(["Text", "Numbers", "Length", "First numbers"], rows));
    }

    alike(frame) {
      if (window.Plotly) {
        const style = getComputedStyle(document.body);
        const layout = { ...frame.figure.layout, paper_bgcolor: "transparent", plot_bgcolor: "transparent", font: { color: style.color, family: style.fontFamily } };
        window.Plotly.newPlot("answer-plot", frame.figure.data, layout, { displayModeBar: false, responsive: true });
      }
      const numbers = frame.texts.map((_, number) => String(number + 1));
      const made = table(["Cosine", ...numbers], frame.similarities.map((row, at) => [`${at + 1}. ${frame.texts[at]}`, ...row.map((value) => value.toFixed(2))]));
      made.querySelectorAll("tbody tr").forEach((row, at) => shade(row, frame.similarities[at]));
      byId("answer-table").prepend(made);
    }
  };

  function shade(row, values) {
    values.forEach((value, at) => {
      row.cells[at + 1].style.backgroundColor = `rgba(32, 107, 196, ${Math.max(0, value) * 0.35})`;
    });
  }

  function table(heads, rows) {
    const made = document.createElement("table");
    made.className = "table table-sm";
    const head = made.createTHead().insertRow();
    heads.forEach((text) => {
      const cell = document.createElement("th");
      cell.textContent = text;
      head.append(cell);
    });
    const body = made.createTBody();
    rows.forEach((values) => {
      const row = body.insertRow();
      values.forEach((value) => (row.insertCell().textContent = value));
    });
    return made;
  }
})(window.SlipwayDebug);
