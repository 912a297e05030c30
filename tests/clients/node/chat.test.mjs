// The official Node SDK for OpenAI: Chat Completions through Gatehouse, whole and by the SDK's accumulator.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import {
  AFTER_THOUGHT, CITIES, FORECAST, Forecast, HELLO, PIXEL, REASONING_TOKENS, THOUGHTS, base, cut, failing, key, model,
  tellsThoughts, toolSchema,
} from "./asked.mjs";

const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: key, maxRetries: 0 });
const chats = client.chat.completions;
const ask = (content) => ({ model, messages: [{ role: "user", content }] });
const tools = [{ type: "function", function: { name: "get_weather", parameters: toolSchema, strict: true } }];

const streamed = (body) => chats.stream({ ...body, stream_options: { include_usage: true } }).finalChatCompletion();
const both = (body) => Promise.all([chats.create(body), streamed(body)]);
const messages = async (body) => (await both(body)).map((answer) => answer.choices[0].message);
const cities = (message) => (message.tool_calls ?? []).map((call) => JSON.parse(call.function.arguments).city);

test("a whole answer and a streamed one are the same", async () => {
  const answers = await both(ask("hello"));
  for (const answer of answers) {
    assert.equal(answer.choices[0].message.content, HELLO);
    assert.equal(answer.choices[0].finish_reason, "stop");
  }
  assert.deepEqual(answers[0].usage, answers[1].usage);
});

for (const count of [0, 1, 3]) {
  test(`${count} tool calls`, async () => {
    for (const answer of await both({ ...ask(count ? `tools:${count}` : "hello"), tools })) {
      assert.deepEqual(cities(answer.choices[0].message), CITIES.slice(0, count));
      assert.equal(answer.choices[0].finish_reason, count ? "tool_calls" : "stop");
    }
  });
}

test("tool results go back to the calls they answer", async () => {
  const body = { ...ask("think-tools:2"), tools };
  for (const first of await messages(body)) {
    const results = first.tool_calls.map((call, place) => ({
      role: "tool", tool_call_id: call.id, content: ["sun", "비"][place],
    }));
    const [plain, stream] = await messages({ ...body, messages: [...body.messages, first, ...results] });
    assert.equal(plain.content, "The tools said: sun | 비.");
    assert.equal(stream.content, plain.content);
  }
});

test("an answer is parsed into the caller's own type", async () => {
  const body = { ...ask("json"), response_format: zodResponseFormat(Forecast, "forecast") };
  for (const answer of [await chats.parse(body), await streamed(body)]) {
    assert.deepEqual(answer.choices[0].message.parsed, FORECAST);
  }
});

test("an image is seen", async () => {
  const image = { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } };
  for (const message of await messages(ask([{ type: "text", text: "image" }, image, image]))) {
    assert.equal(message.content, "I see 2 images in what you sent.");
  }
});

test("thoughts are counted, and told where the provider tells them", async () => {
  const body = { ...ask("think"), reasoning_effort: "high" };
  for (const answer of await both(body)) {
    assert.equal(answer.choices[0].message.content, AFTER_THOUGHT);
    assert.equal(answer.usage.completion_tokens_details.reasoning_tokens, REASONING_TOKENS);
  }
  const plain = (await chats.create(body)).choices[0].message;
  assert.equal(plain.reasoning_content ?? "", tellsThoughts ? THOUGHTS : "");
  let heard = "";
  for await (const chunk of chats.stream(body)) heard += chunk.choices[0]?.delta.reasoning_content ?? "";
  assert.equal(heard, plain.reasoning_content ?? "");
});

test("errors are the SDK's own", async () => {
  const { messages } = ask("hello");
  const expected = { 400: OpenAI.BadRequestError, 401: OpenAI.InternalServerError, 429: OpenAI.RateLimitError };
  for (const [fault, error] of Object.entries(expected)) {
    await assert.rejects(chats.create({ model: failing("chat", "plain", fault), messages }), error);
    await assert.rejects(streamed({ model: failing("chat", "stream", fault), messages }), error);
  }
  const stranger = new OpenAI({ baseURL: `${base}/v1`, apiKey: "sk-gh-nobody", maxRetries: 0 });
  await assert.rejects(stranger.chat.completions.create(ask("hello")), OpenAI.AuthenticationError);
  await assert.rejects(chats.create({ model: "no-such-model", messages }), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError && error.requestID);
    assert.equal(error.code, "model_not_found");
    return true;
  });
});

test("a stream that was cut is an error, never an end", async () => {
  let heard = "";
  await assert.rejects(async () => {
    for await (const chunk of chats.stream({ ...ask("long:50"), model: cut("chat") })) {
      heard += chunk.choices[0]?.delta.content ?? "";
    }
  }, OpenAI.APIError);
  assert.match(heard, /^word0 word1/);
});
