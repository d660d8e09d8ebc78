// Reads what the console relays from the gateway: one JSON object a line, and inside the chunks
// either one JSON answer or server-sent events.
"use strict";

window.SlipwayDebug = window.SlipwayDebug || {};

(function (debug) {
  // Calls `take` for each line of the relay until it ends or `signal` aborts.
  debug.send = async function (url, token, call, signal, take) {
    const answer = await fetch(url, {
      method: "POST",
      signal,
      headers: { "Content-Type": "application/json", "X-CSRFToken": token, Accept: "application/x-ndjson" },
      body: JSON.stringify(call),
    });
    if (!answer.ok) throw new Error(await refusal(answer));
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      const lines = (rest + (value || "")).split("\n");
      rest = done ? "" : lines.pop();
      lines.filter(Boolean).forEach((line) => take(JSON.parse(line)));
      if (done) return;
    }
  };

  // Splits server-sent events off a growing text; a line that is not whole yet waits.
  debug.EventReader = class {
    constructor() {
      this.rest = "";
    }

    take(text) {
      const lines = (this.rest + text).split("\n");
      this.rest = lines.pop();
      return lines
        .map((line) => line.trim())
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5).trim())
        .filter((data) => data && data !== "[DONE]")
        .map(parsed)
        .filter(Boolean);
    }
  };

  // What one event, or one whole answer, adds to the text.
  debug.textOf = function (part) {
    const choice = part.choices && part.choices[0];
    if (!choice) return "";
    const message = choice.delta || choice.message;
    return (message && message.content) || choice.text || "";
  };

  function parsed(data) {
    try {
      return JSON.parse(data);
    } catch {
      return null;
    }
  }
  debug.parsed = parsed;

  async function refusal(answer) {
    const body = parsed(await answer.text());
    if (body && body.error) return body.error.message;
    return `The console answered ${answer.status}. Reload the page; perhaps you are signed out.`;
  }
})(window.SlipwayDebug);
