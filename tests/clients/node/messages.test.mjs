// The official Node SDK for Anthropic: Messages through Gatehouse, whole and by the SDK's accumulator.
import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import {
  AFTER_THOUGHT, CITIES, FORECAST, Forecast, HELLO, PIXEL, REASONING_TOKENS, THOUGHTS, base, cut, failing, key, model,
  tellsThoughts, toolSchema,
} from "./asked.mjs";

const client = new Anthropic({ baseURL: base, apiKey: key, maxRetries: 0 });
const { messages } = client;
const ask = (content) => ({ model, max_tokens: 4000, messages: [{ role: "user", content }] });
const tools = [{ name: "get_weather", input_schema: toolSchema }];

const streamed = (body) => messages.stream(body).finalMessage();
const both = (body) => Promise.all([messages.create(body), streamed(body)]);
const blocks = (message, type) => message.content.filter((block) => block.type === type);
const said = (message) => blocks(message, "text").map((block) => block.text).join("");
const thoughts = (message) => blocks(message, "thinking").map((block) => block.thinking).join("");
const cities = (message) => blocks(message, "tool_use").map((block) => block.input.city);

test("a whole answer and a streamed one are the same", async () => {
  const answers = await both(ask("hello"));
  for (const answer of answers) {
    assert.equal(said(answer), HELLO);
    assert.equal(answer.stop_reason, "end_turn");
  }
  for (const count of ["input_tokens", "output_tokens", "cache_read_input_tokens"]) {
    assert.equal(answers[0].usage[count], answers[1].usage[count]);
  }
  let heard = "";
  await messages.stream(ask("hello")).on("text", (delta) => { heard += delta; }).done();
  assert.equal(heard, HELLO);
});

for (const count of [0, 1, 3]) {
  test(`${count} tool calls`, async () => {
    for (const answer of await both({ ...ask(count ? `tools:${count}` : "hello"), tools })) {
      assert.deepEqual(cities(answer), CITIES.slice(0, count));
      assert.equal(answer.stop_reason, count ? "tool_use" : "end_turn");
    }
  });
}

test("thoughts and tool results go back as they came", async () => {
  const body = { ...ask("think-tools:2"), thinking: { type: "enabled", budget_tokens: 2000 }, tools };
  for (const first of await both(body)) {
    assert.equal(thoughts(first), tellsThoughts ? THOUGHTS : "");
    assert.ok(blocks(first, "thinking").every((block) => block.signature));
    const results = blocks(first, "tool_use").map((block, place) => ({
      type: "tool_result", tool_use_id: block.id, content: ["sun", "비"][place],
    }));
    const turns = [{ role: "assistant", content: first.content }, { role: "user", content: results }];
    for (const last of await both({ ...body, messages: [...body.messages, ...turns] })) {
      assert.equal(said(last), "The tools said: sun | 비.");
    }
  }
});

test("an answer is parsed into the caller's own type", async () => {
  const body = { ...ask("json"), output_config: { format: zodOutputFormat(Forecast) } };
  for (const answer of [await messages.parse(body), await streamed(body)]) {
    assert.deepEqual(answer.parsed_output, FORECAST);
  }
});

test("an image is seen", async () => {
  const image = { type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } };
  for (const answer of await both(ask([{ type: "text", text: "image" }, image, image]))) {
    assert.equal(said(answer), "I see 2 images in what you sent.");
  }
});

test("thoughts are counted, and told where the provider tells them", async () => {
  for (const answer of await both({ ...ask("think"), thinking: { type: "adaptive", display: "summarized" } })) {
    assert.equal(said(answer), AFTER_THOUGHT);
    assert.equal(thoughts(answer), tellsThoughts ? THOUGHTS : "");
    assert.equal(answer.usage.output_tokens_details.thinking_tokens, REASONING_TOKENS);
  }
});

test("errors are the SDK's own", async () => {
  const expected = {
    400: Anthropic.BadRequestError, 401: Anthropic.InternalServerError, 429: Anthropic.RateLimitError,
  };
  for (const [fault, error] of Object.entries(expected)) {
    await assert.rejects(messages.create({ ...ask("hello"), model: failing("messages", "plain", fault) }), error);
    await assert.rejects(streamed({ ...ask("hello"), model: failing("messages", "stream", fault) }), error);
  }
  const stranger = new Anthropic({ baseURL: base, apiKey: "sk-gh-nobody", maxRetries: 0 });
  await assert.rejects(stranger.messages.create(ask("hello")), Anthropic.AuthenticationError);
  await assert.rejects(messages.create({ ...ask("hello"), model: "no-such-model" }), (error) => {
    assert.ok(error instanceof Anthropic.NotFoundError && error.requestID);
    return true;
  });
});

test("a stream that was cut is an error, never an end", async () => {
  let heard = "";
  const stream = messages.stream({ ...ask("long:50"), model: cut("messages") });
  stream.on("text", (delta) => { heard += delta; });
  await assert.rejects(stream.finalMessage(), Anthropic.APIError);
  assert.match(heard, /^word0 word1/);
});
