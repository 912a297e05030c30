// The official Node SDK for OpenAI: Chat Completions and Responses through Gatehouse.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import {
  AFTER_THOUGHT, CITIES, FORECAST, HELLO, PIXEL, base, cut, failing, forecastSchema, key, model, toolSchema,
} from "./asked.mjs";

const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: key, maxRetries: 0 });
const ask = (text) => ({ model, messages: [{ role: "user", content: text }] });
const tools = [{ type: "function", function: { name: "get_weather", parameters: toolSchema, strict: true } }];
const flatTools = [{ type: "function", name: "get_weather", parameters: toolSchema, strict: true }];
const forecast = { name: "forecast", schema: forecastSchema, strict: true };

const calledCities = (calls) => calls.map((call) => JSON.parse(call.arguments ?? call.function.arguments).city);
const functionCalls = (response) => response.output.filter((item) => item.type === "function_call");

test("chat: a whole answer and a streamed one are the same", async () => {
  const plain = await client.chat.completions.create(ask("hello"));
  assert.equal(plain.choices[0].message.content, HELLO);
  assert.equal(plain.choices[0].finish_reason, "stop");
  const streamed = await client.chat.completions
    .stream({ ...ask("hello"), stream_options: { include_usage: true } })
    .finalChatCompletion();
  assert.equal(streamed.choices[0].message.content, HELLO);
  assert.equal(streamed.usage.total_tokens, plain.usage.total_tokens);
});

for (const count of [0, 1, 3]) {
  test(`chat: ${count} tool calls`, async () => {
    const body = { ...ask(count ? `tools:${count}` : "hello"), tools };
    const plain = (await client.chat.completions.create(body)).choices[0].message.tool_calls ?? [];
    const streamed = (await client.chat.completions.stream(body).finalChatCompletion()).choices[0].message;
    assert.deepEqual(calledCities(plain), CITIES.slice(0, count));
    assert.deepEqual(calledCities(streamed.tool_calls ?? []), CITIES.slice(0, count));
  });
}

test("chat: tool results go back to the calls they answer", async () => {
  const body = { ...ask("tools:2"), tools };
  const first = (await client.chat.completions.create(body)).choices[0].message;
  const results = first.tool_calls.map((call, place) => ({
    role: "tool", tool_call_id: call.id, content: ["sun", "비"][place],
  }));
  const last = await client.chat.completions.create({ ...body, messages: [...body.messages, first, ...results] });
  assert.equal(last.choices[0].message.content, "The tools said: sun | 비.");
});

test("chat: structured output", async () => {
  const format = { type: "json_schema", json_schema: forecast };
  const answer = await client.chat.completions.create({ ...ask("json"), response_format: format });
  assert.deepEqual(JSON.parse(answer.choices[0].message.content), FORECAST);
});

test("chat: an image is seen", async () => {
  const parts = [
    { type: "text", text: "image" },
    { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } },
  ];
  const answer = await client.chat.completions.create({ model, messages: [{ role: "user", content: parts }] });
  assert.equal(answer.choices[0].message.content, "I see 1 images in what you sent.");
});

test("responses: a whole answer and a streamed one are the same", async () => {
  const body = { model, input: "hello" };
  const plain = await client.responses.create(body);
  assert.equal(plain.output_text, HELLO);
  assert.equal(plain.status, "completed");
  const stream = client.responses.stream(body);
  let heard = "";
  for await (const event of stream) if (event.type === "response.output_text.delta") heard += event.delta;
  const streamed = await stream.finalResponse();
  assert.equal(heard, HELLO);
  assert.equal(streamed.output_text, HELLO);
  assert.equal(streamed.usage.output_tokens, plain.usage.output_tokens);
});

for (const count of [0, 1, 3]) {
  test(`responses: ${count} tool calls`, async () => {
    const body = { model, input: count ? `tools:${count}` : "hello", tools: flatTools };
    assert.deepEqual(calledCities(functionCalls(await client.responses.create(body))), CITIES.slice(0, count));
    const streamed = await client.responses.stream(body).finalResponse();
    assert.deepEqual(calledCities(functionCalls(streamed)), CITIES.slice(0, count));
  });
}

test("responses: what was called goes back with its results", async () => {
  const question = { role: "user", content: "think-tools:2" };
  const body = { model, tools: flatTools, reasoning: { effort: "medium" }, store: false,
    include: ["reasoning.encrypted_content"] };
  const first = await client.responses.create({ ...body, input: [question] });
  const results = functionCalls(first).map((call, place) => ({
    type: "function_call_output", call_id: call.call_id, output: ["sun", "비"][place],
  }));
  const last = await client.responses.create({ ...body, input: [question, ...first.output, ...results] });
  assert.equal(last.output_text, "The tools said: sun | 비.");
});

test("responses: structured output, an image, thoughts", async () => {
  const text = { format: { type: "json_schema", ...forecast } };
  const answer = await client.responses.create({ model, input: "json", text });
  assert.deepEqual(JSON.parse(answer.output_text), FORECAST);
  const content = [
    { type: "input_text", text: "image" },
    { type: "input_image", image_url: `data:image/png;base64,${PIXEL}`, detail: "auto" },
  ];
  const seen = await client.responses.create({ model, input: [{ role: "user", content }] });
  assert.equal(seen.output_text, "I see 1 images in what you sent.");
  const reasoning = { effort: "medium", summary: "auto" };
  const thought = await client.responses.create({ model, input: "think", reasoning });
  assert.equal(thought.output_text, AFTER_THOUGHT);
  assert.ok(thought.usage.output_tokens_details.reasoning_tokens > 0);
});

test("errors are the SDK's own", async () => {
  const messages = [{ role: "user", content: "hello" }];
  const expected = { 429: OpenAI.RateLimitError, 400: OpenAI.BadRequestError, 401: OpenAI.InternalServerError };
  for (const [fault, error] of Object.entries(expected)) {
    // A deployment that failed rests for a while: each API has a failing model of its own.
    await assert.rejects(client.chat.completions.create({ model: failing(fault), messages }), error);
    const responses = { model: failing(fault, "stream"), input: "hello" };
    await assert.rejects(client.responses.create(responses), error);
  }
  const stranger = new OpenAI({ baseURL: `${base}/v1`, apiKey: "sk-gh-nobody", maxRetries: 0 });
  await assert.rejects(stranger.chat.completions.create(ask("hello")), OpenAI.AuthenticationError);
  await assert.rejects(client.chat.completions.create({ model: "no-such-model", messages }), OpenAI.NotFoundError);
});

test("a stream that was cut is an error, never an end", async () => {
  const messages = [{ role: "user", content: "long:50" }];
  await assert.rejects(async () => {
    for await (const _ of await client.chat.completions.create({ model: cut, messages, stream: true }));
  });
  const types = [];
  try {
    for await (const event of await client.responses.create({ model: cut, input: "long:50", stream: true })) {
      types.push(event.type);
    }
    assert.ok(["error", "response.failed"].includes(types.at(-1)), types.at(-1));
  } catch (error) {
    assert.ok(error instanceof OpenAI.APIError, String(error));
  }
  assert.ok(!types.includes("response.completed"));
});
