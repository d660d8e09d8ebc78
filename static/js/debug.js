// The debug page: composes a request from the form in use, sends it, and measures the answer.
"use strict";

(function (debug) {
  const form = document.getElementById("debug");
  if (!form) return;
  const byId = (id) => document.getElementById(id);
  const facts = JSON.parse(byId("debug-facts").textContent);
  const view = new debug.View();
  const conversation = [];
  let mode = document.querySelector("[data-debug-modes] [aria-selected=true]").dataset.mode;
  let running = null;

  const composers = {
    chat() {
      const system = byId("chat-system").value.trim();
      const typed = byId("chat-input").value.trim();
      const messages = [...conversation];
      if (system) messages.unshift({ role: "system", content: system });
      if (typed) messages.push({ role: "user", content: typed });
      return { path: "/v1/chat/completions", body: { model: facts.model, messages, ...options() } };
    },
    completions() {
      return { path: "/v1/completions", body: { model: facts.model, prompt: byId("completion-prompt").value, ...options() } };
    },
    embeddings() {
      const input = byId("embedding-input").value.split("\n").map((line) => line.trim()).filter(Boolean);
      return { path: "/v1/embeddings", body: { model: facts.model, input } };
    },
  };

  function options() {
    const chosen = { temperature: Number(byId("option-temperature").value), max_tokens: Number(byId("option-max-tokens").value) };
    if (byId("option-stream").checked) return { ...chosen, stream: true, stream_options: { include_usage: true } };
    return { ...chosen, stream: false };
  }

  // The raw request is what is sent; the other forms only write it.
  function compose() {
    if (composers[mode]) {
      const { path, body } = composers[mode]();
      byId("raw-method").value = "POST";
      byId("raw-path").value = path;
      byId("raw-body").value = JSON.stringify(body, null, 2);
    }
    check();
    const command = curl();
    byId("curl-text").textContent = command;
    byId("curl-copy").dataset.copy = command;
  }

  function check() {
    const text = byId("raw-body").value;
    let problem = "";
    try {
      if (text.trim()) JSON.parse(text);
    } catch (error) {
      problem = `Not JSON yet: ${error.message}`;
    }
    byId("raw-problem").textContent = problem;
  }

  function curl() {
    const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
    const parts = [`curl -X ${byId("raw-method").value} ${quote(facts.url + byId("raw-path").value)}`];
    if (facts.auth) parts.push('-H "Authorization: $SLIPWAY_KEY"');
    const body = byId("raw-body").value;
    if (body) parts.push("-H 'Content-Type: application/json'", `-d ${quote(body)}`);
    return parts.join(" \\\n  ");
  }

  class Measured {
    constructor() {
      this.events = new debug.EventReader();
      this.whole = "";
      this.said = "";
      this.pieces = 0;
      this.first = this.last = this.usage = null;
      this.streams = false;
      this.failed = false;
    }

    start(frame) {
      this.failed = frame.status >= 400;
      this.streams = frame.headers.some(([name, value]) => name === "content-type" && value.startsWith("text/event-stream"));
      view.start(frame);
    }

    chunk(frame) {
      view.raw(frame.text);
      if (!this.streams) {
        this.whole += frame.text;
        this.first ??= frame.ms;
        return;
      }
      this.events.take(frame.text).forEach((event) => this.event(event, frame.ms));
    }

    event(event, ms) {
      if (event.usage) this.usage = event.usage;
      if (event.error) {
        this.failed = true;
        view.problem(event.error.message || "The model broke off with an error.");
      }
      const text = debug.textOf(event);
      if (!text) return;
      this.first ??= ms;
      this.last = ms;
      this.pieces += 1;
      this.said += text;
      view.text(text);
      this.numbers(ms);
    }

    end(frame) {
      const body = this.streams ? null : debug.parsed(this.whole);
      if (body && typeof body === "object") {
        this.usage = body.usage || null;
        this.said = debug.textOf(body);
        view.json(body);
      } else if (!this.streams) {
        view.text(this.whole);
      }
      if (frame.cut) view.problem("The answer is longer than 8 MiB; the rest was left out.");
      view.number("size", size(frame.bytes));
      this.numbers(frame.ms);
    }

    numbers(ms) {
      view.number("total", time(ms));
      if (this.first !== null) view.number("first", time(this.first));
      const tokens = (this.usage && this.usage.completion_tokens) || this.pieces;
      const seconds = this.streams && this.last > this.first ? (this.last - this.first) / 1000 : this.streams ? 0 : ms / 1000;
      const timed = this.streams ? tokens - 1 : tokens;
      if (timed > 0 && seconds > 0) view.number("speed", `${(timed / seconds).toFixed(1)} tokens/s`);
      if (this.usage) {
        const { prompt_tokens: sent, completion_tokens: got } = this.usage;
        view.number("tokens", got === undefined ? `${sent} in` : `${sent} in, ${got} out`);
      } else if (this.pieces) {
        view.number("tokens", `about ${this.pieces} out`);
      }
    }
  }

  const time = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`);
  const size = (bytes) => (bytes < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KiB`);

  async function send() {
    if (running) return;
    compose();
    const measured = new Measured();
    const takers = {
      start: (frame) => measured.start(frame),
      chunk: (frame) => measured.chunk(frame),
      vectors: (frame) => view.alike(frame),
      end: (frame) => measured.end(frame),
      failed: (frame) => fail(measured, frame.message),
    };
    const call = { method: byId("raw-method").value, path: byId("raw-path").value, body: byId("raw-body").value, key: byId("debug-key").value };
    const typed = mode === "chat" ? byId("chat-input").value.trim() : "";
    view.clear();
    running = new AbortController();
    busy(true);
    try {
      const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
      await debug.send(form.dataset.send, token, call, running.signal, (frame) => takers[frame.type](frame));
      if (typed && !measured.failed) remember(typed, measured.said);
    } catch (error) {
      fail(measured, error.name === "AbortError" ? "Aborted. The gateway was told to stop as well." : error.message);
    } finally {
      running = null;
      busy(false);
    }
  }

  function fail(measured, message) {
    measured.failed = true;
    view.problem(message);
  }

  function busy(now) {
    byId("debug-go").disabled = now;
    byId("debug-abort").hidden = !now;
  }

  function remember(typed, said) {
    conversation.push({ role: "user", content: typed }, { role: "assistant", content: said });
    byId("chat-input").value = "";
    draw();
    compose();
  }

  function draw() {
    byId("chat-messages").replaceChildren(
      ...conversation.map(({ role, content }) => {
        const item = document.createElement("li");
        item.className = `sw-chat-${role}`;
        item.textContent = content;
        return item;
      }),
    );
    byId("chat-messages").scrollTop = byId("chat-messages").scrollHeight;
  }

  function choose(buttons, chosen) {
    buttons.forEach((button) => {
      button.setAttribute("aria-selected", String(button === chosen));
      button.tabIndex = button === chosen ? 0 : -1;
    });
  }

  const modes = [...document.querySelectorAll("[data-mode]")];
  modes.forEach((button) =>
    button.addEventListener("click", () => {
      compose();
      mode = button.dataset.mode;
      choose(modes, button);
      document.querySelectorAll("[data-compose]").forEach((part) => (part.hidden = part.dataset.compose !== mode));
      document.querySelectorAll("[data-compose-also]").forEach((part) => (part.hidden = !part.dataset.composeAlso.split(" ").includes(mode)));
    }),
  );
  const views = [...document.querySelectorAll("[data-view]")];
  views.forEach((button) =>
    button.addEventListener("click", () => {
      choose(views, button);
      document.querySelectorAll("[data-panel]").forEach((part) => (part.hidden = part.dataset.panel !== button.dataset.view));
    }),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (byId("debug-go")) send();
  });
  form.addEventListener("input", compose);
  byId("debug-abort")?.addEventListener("click", () => running && running.abort());
  byId("debug-clear")?.addEventListener("click", () => {
    conversation.length = 0;
    draw();
    compose();
  });
  byId("chat-input")?.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  byId("raw-format").addEventListener("click", () => {
    const body = debug.parsed(byId("raw-body").value);
    if (body !== null) byId("raw-body").value = JSON.stringify(body, null, 2);
  });
  byId("raw-body").value = JSON.stringify(facts.example, null, 2);
  compose();
})(window.SlipwayDebug);
