#include "slowpath/session_stream.h"

#include <csignal>

#include "absl/strings/str_cat.h"

namespace sekisho::slowpath {

struct SessionStream::WriteRequest {
  uv_write_t request;
  SessionStream* stream;  // outlives its requests: libuv cancels them before it closes a handle
  std::string bytes;
};

SessionStream::SessionStream(uv_loop_t* loop, std::unique_ptr<Conversation> conversation,
                             std::function<void(SessionStream*)> closing)
    : loop_(loop), conversation_(std::move(conversation)), closing_(std::move(closing)) {
  // libuv writes with write(): a peer that went away must be an error, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  uv_pipe_init(loop_, &input_, 0);
  input_.data = this;
  open_handles_ = 1;
}

absl::Status SessionStream::OpenOutput(int file) {
  uv_pipe_init(loop_, &output_, 0);
  output_.data = this;
  separate_output_ = true;
  ++open_handles_;
  if (const int error = uv_pipe_open(&output_, file); error != 0) {
    return absl::UnavailableError(absl::StrCat("standard output: ", uv_strerror(error)));
  }
  return absl::OkStatus();
}

void SessionStream::Start() {
  Pump();
  Read();
}

void SessionStream::Read() {
  if (reading_ || input_ended_ || close_called_) return;
  const auto allocate = [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
    auto* stream = static_cast<SessionStream*>(handle->data);
    *buffer = uv_buf_init(stream->buffer_, sizeof(stream->buffer_));
  };
  const auto read = [](uv_stream_t* handle, ssize_t size, const uv_buf_t* buffer) {
    static_cast<SessionStream*>(handle->data)->OnBytes(size, buffer->base);
  };
  reading_ = uv_read_start(reinterpret_cast<uv_stream_t*>(&input_), allocate, read) == 0;
  if (!reading_) Close();
}

void SessionStream::OnBytes(ssize_t size, const char* bytes) {
  if (size == 0) return;
  if (size < 0) {
    input_ended_ = true;
  } else {
    pending_.append(bytes, static_cast<size_t>(size));
  }
  Pump();
}

void SessionStream::Pump() {
  if (close_called_) return;
  while (true) {
    std::string output = conversation_->TakeOutput();
    if (!output.empty()) Send(std::move(output));
    if (close_called_ || conversation_->ended() || pending_.empty() || unsent_ >= kUnsentMax) break;
    pending_.erase(0, conversation_->Feed(pending_));
  }
  if (close_called_) return;
  const bool done = conversation_->ended() || (input_ended_ && pending_.empty());
  if (done && unsent_ == 0) return Close();
  if (done || unsent_ >= kUnsentMax) {
    if (reading_) uv_read_stop(reinterpret_cast<uv_stream_t*>(&input_));
    reading_ = false;
  } else {
    Read();
  }
}

void SessionStream::Send(std::string bytes) {
  auto* write = new WriteRequest{.request = {}, .stream = this, .bytes = std::move(bytes)};
  write->request.data = write;
  unsent_ += write->bytes.size();
  uv_buf_t buffer =
      uv_buf_init(write->bytes.data(), static_cast<unsigned int>(write->bytes.size()));
  const auto sent = [](uv_write_t* request, int status) {
    const std::unique_ptr<WriteRequest> owned(static_cast<WriteRequest*>(request->data));
    SessionStream* stream = owned->stream;
    stream->unsent_ -= owned->bytes.size();
    if (status != 0) return stream->Close();
    stream->Pump();
  };
  if (uv_write(&write->request, output(), &buffer, 1, sent) != 0) {
    unsent_ -= write->bytes.size();
    delete write;
    Close();
  }
}

void SessionStream::Close() {
  if (close_called_) return;
  close_called_ = true;
  if (closing_) closing_(this);
  CloseHandle(input_);
  if (separate_output_) CloseHandle(output_);
}

void SessionStream::CloseHandle(uv_pipe_t& handle) {
  uv_close(reinterpret_cast<uv_handle_t*>(&handle), [](uv_handle_t* closed) {
    auto* stream = static_cast<SessionStream*>(closed->data);
    if (--stream->open_handles_ == 0) delete stream;
  });
}

}  // namespace sekisho::slowpath
