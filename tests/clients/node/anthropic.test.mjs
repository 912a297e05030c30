// The official Node SDK for Anthropic: Messages through Gatehouse.
import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import {
  AFTER_THOUGHT, CITIES, FORECAST, HELLO, PIXEL, base, cut, failing, forecastSchema, key, model, toolSchema,
} from "./asked.mjs";

const client = new Anthropic({ baseURL: base, apiKey: key, maxRetries: 0 });
const ask = (text) => ({ model, max_tokens: 1000, messages: [{ role: "user", content: text }] });
const tools = [{ name: "get_weather", input_schema: toolSchema }];
const anthropicFailing = (fault) => failing(fault, "messages");
const said = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");
const cities = (message) => message.content.filter((block) => block.type === "tool_use").map((block) => block.input.city);

test("a whole answer and a streamed one are the same", async () => {
  const plain = await client.messages.create(ask("hello"));
  assert.equal(said(plain), HELLO);
  assert.equal(plain.stop_reason, "end_turn");
  const streamed = await client.messages.stream(ask("hello")).finalMessage();
  assert.equal(said(streamed), HELLO);
  assert.equal(streamed.usage.output_tokens, plain.usage.output_tokens);
  assert.equal(streamed.usage.cache_read_input_tokens, plain.usage.cache_read_input_tokens);
});

for (const count of [0, 1, 3]) {
  test(`${count} tool calls`, async () => {
    const body = { ...ask(count ? `tools:${count}` : "hello"), tools };
    const plain = await client.messages.create(body);
    const streamed = await client.messages.stream(body).finalMessage();
    assert.deepEqual(cities(plain), CITIES.slice(0, count));
    assert.deepEqual(cities(streamed), CITIES.slice(0, count));
    assert.equal(streamed.stop_reason, count ? "tool_use" : "end_turn");
  });
}

test("thoughts and tool results go back as they came", async () => {
  const thinking = { type: "enabled", budget_tokens: 2000 };
  const body = { ...ask("think-tools:2"), max_tokens: 4000, thinking, tools };
  const first = await client.messages.stream(body).finalMessage();
  const results = first.content.filter((block) => block.type === "tool_use").map((block, place) => ({
    type: "tool_result", tool_use_id: block.id, content: ["sun", "비"][place],
  }));
  const turns = [{ role: "assistant", content: first.content }, { role: "user", content: results }];
  const last = await client.messages.create({ ...body, messages: [...body.messages, ...turns] });
  assert.equal(said(last), "The tools said: sun | 비.");
});

test("structured output, an image, thoughts", async () => {
  const format = { type: "json_schema", schema: forecastSchema };
  const answer = await client.messages.create({ ...ask("json"), output_config: { format } });
  assert.deepEqual(JSON.parse(said(answer)), FORECAST);
  const source = { type: "base64", media_type: "image/png", data: PIXEL };
  const content = [{ type: "text", text: "image" }, { type: "image", source }];
  const seen = await client.messages.create({ ...ask(""), messages: [{ role: "user", content }] });
  assert.equal(said(seen), "I see 1 images in what you sent.");
  const thought = await client.messages.create({ ...ask("think"), max_tokens: 4000, thinking: { type: "adaptive" } });
  assert.equal(said(thought), AFTER_THOUGHT);
});

test("errors are the SDK's own", async () => {
  const messages = [{ role: "user", content: "hello" }];
  for (const [fault, expected] of [["429", Anthropic.RateLimitError], ["400", Anthropic.BadRequestError],
    ["401", Anthropic.InternalServerError]]) {
    await assert.rejects(client.messages.create({ model: anthropicFailing(fault), max_tokens: 9, messages }), expected);
  }
  const stranger = new Anthropic({ baseURL: base, apiKey: "sk-gh-nobody", maxRetries: 0 });
  await assert.rejects(stranger.messages.create(ask("hello")), Anthropic.AuthenticationError);
  await assert.rejects(client.messages.create({ ...ask("hello"), model: "no-such-model" }), Anthropic.NotFoundError);
});

test("a stream that was cut is an error, never an end", async () => {
  await assert.rejects(client.messages.stream({ ...ask("long:50"), model: cut }).finalMessage());
});
