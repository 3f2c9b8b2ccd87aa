#include "slowpath/control_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "slowpath/console.h"
#include "tests/slowpath/fake_status_view.h"

namespace sekisho::slowpath {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// A loop, a fake gateway, and clients that are plain sockets: the loop is run by hand.
class ControlSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    uv_loop_init(&loop_);
    char name[] = "/tmp/sekisho-test-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
    path_ = directory_ + "/run/gw.sock";
  }
  void TearDown() override {
    socket_.reset();
    uv_run(&loop_, UV_RUN_DEFAULT);
    EXPECT_EQ(uv_loop_close(&loop_), 0);
    EXPECT_NE(access(path_.c_str(), F_OK), 0) << "the socket was left behind";
    rmdir((directory_ + "/run").c_str());
    rmdir(directory_.c_str());
  }
  void Listen() { socket_ = ControlSocket::Listen(&loop_, view_, path_).value(); }
  int Connect() {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    const int file = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    EXPECT_EQ(connect(file, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return file;
  }
  void Turn(int times = 50) {
    for (int i = 0; i < times; ++i) uv_run(&loop_, UV_RUN_NOWAIT);
  }
  static void Write(int file, const std::string& text) {
    ASSERT_EQ(write(file, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // All that is there, with the loop turning until nothing more comes.
  std::string Read(int file) {
    std::string all;
    char buffer[65536];
    for (int idle = 0; idle < 20; ++idle) {
      Turn(2);
      const ssize_t got = read(file, buffer, sizeof(buffer));
      if (got > 0) {
        all.append(buffer, static_cast<size_t>(got));
        idle = 0;
      }
    }
    return all;
  }
  std::string Ask(const std::string& request) {
    const int client = Connect();
    Write(client, request);
    std::string answer = Read(client);
    close(client);
    Turn();
    return answer;
  }

  uv_loop_t loop_;
  FakeStatusView view_;
  std::string directory_, path_;
  std::unique_ptr<ControlSocket> socket_;
};

TEST_F(ControlSocketTest, AnswersOneCommandAndCloses) {
  Listen();
  EXPECT_EQ(Ask("text show log-level\n"), "ok 5\ninfo\n");
  EXPECT_EQ(Ask("json show log-level\n"), "ok 26\n{\n  \"log_level\": \"info\"\n}\n");
  EXPECT_EQ(Ask("text delete ike-sa 99\n"), "error 15\nno such SA: 99\n");
  EXPECT_THAT(Ask("gimme\n"), StartsWith("error "));
  EXPECT_THAT(Ask(std::string(2000, 'x')), HasSubstr("request too long"));
  EXPECT_EQ(socket_->clients(), 0u);
}

TEST_F(ControlSocketTest, HoldsAConversation) {
  Listen();
  const int client = Connect();
  Write(client, "shell\n");
  EXPECT_EQ(Read(client), "sekisho> ");
  Write(client, "show log-level\r");
  EXPECT_THAT(Read(client), HasSubstr("info\n"));
  EXPECT_EQ(socket_->clients(), 1u);
  Write(client, "quit\r");
  Read(client);
  EXPECT_EQ(socket_->clients(), 0u);
  EXPECT_TRUE(view_.calls.empty());
  close(client);
}

TEST_F(ControlSocketTest, IsForTheOwnerAloneAndMakesItsDirectory) {
  Listen();
  struct stat status = {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
}

TEST_F(ControlSocketTest, RefusesWhereAnotherListensAndReplacesWhatIsStale) {
  Listen();
  const auto second = ControlSocket::Listen(&loop_, view_, path_);
  EXPECT_THAT(std::string(second.status().message()),
              EndsWith("another sekisho is running; stop it or set control.socket"));
  socket_.reset();
  Turn();
  // Left behind by one that was killed.
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
  const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(dead);
  Listen();
  EXPECT_EQ(Ask("text show log-level\n"), "ok 5\ninfo\n");
}

// A client that asks without end and never reads is no longer read from: what waits for it stays
// near one command's output, and the others are served.
TEST_F(ControlSocketTest, AClientThatDoesNotReadHoldsUpNobody) {
  view_.many_sas = 2000;
  Listen();
  const int client = Connect();
  Write(client, "shell\n");
  Turn();
  size_t sent = 0;
  const std::string command = "show sas\r";
  for (int i = 0; i < 100000; ++i) {
    const ssize_t written = write(client, command.data(), command.size());
    if (written <= 0) break;
    sent += static_cast<size_t>(written);
    if (i % 100 == 0) Turn(1);
  }
  EXPECT_LT(sent, 100000 * command.size());  // it was held up at last
  EXPECT_EQ(Ask("text show log-level\n"), "ok 5\ninfo\n");
  close(client);
  Turn();
  EXPECT_EQ(socket_->clients(), 0u);
}

TEST_F(ControlSocketTest, OneClientTooManyIsToldSo) {
  Listen();
  std::vector<int> clients;
  for (size_t i = 0; i < ControlSocket::kClientsMax; ++i) clients.push_back(Connect());
  Turn();
  EXPECT_THAT(Read(Connect()), HasSubstr("already 16 sessions"));
  for (const int client : clients) close(client);
  Turn();
}

// A pipe is a console without prompt; its end leaves the gateway running.
TEST_F(ControlSocketTest, ConsoleReadsAPipe) {
  int in[2], out[2];
  ASSERT_EQ(pipe(in), 0);
  ASSERT_EQ(pipe2(out, O_NONBLOCK), 0);
  auto console = Console::Open(&loop_, view_, in[0], out[1]);
  ASSERT_TRUE(console.ok()) << console.status();
  Write(in[1], "show log-level\ninitiate staff\n");
  EXPECT_EQ(Read(out[0]), "info\nbegun as IKE SA 4\n");
  close(in[1]);
  Turn();
  EXPECT_THAT(view_.calls, ElementsAre("initiate staff"));
  console->reset();
  Turn();
  for (const int file : {in[0], out[0], out[1]}) close(file);
}

// `sekisho gw.yaml < commands >> answers`: the commands of a file are run, and what the other file
// held before stays.
TEST_F(ControlSocketTest, ConsoleRunsTheCommandsOfAFile) {
  const int in = memfd_create("commands", 0), out = memfd_create("answers", 0);
  Write(in, "show log-level\ninitiate staff\n");
  lseek(in, 0, SEEK_SET);
  Write(out, "before\n");
  auto console = Console::Open(&loop_, view_, in, out);
  ASSERT_TRUE(console.ok()) << console.status();
  for (int i = 0; i < 4; ++i) Turn();
  EXPECT_THAT(view_.calls, ElementsAre("initiate staff"));
  lseek(out, 0, SEEK_SET);
  EXPECT_EQ(Read(out), "before\ninfo\nbegun as IKE SA 4\n");
  console->reset();
  Turn();
  for (const int file : {in, out}) close(file);
}

TEST_F(ControlSocketTest, TooManyCommandsInAFileAreRefused) {
  const int in = memfd_create("commands", 0), out = memfd_create("answers", 0);
  Write(in, std::string(65537, '\n'));
  lseek(in, 0, SEEK_SET);
  EXPECT_EQ(Console::Open(&loop_, view_, in, out).status().message(),
            "standard input: a file of commands may have 65536 bytes");
  Turn();
  for (const int file : {in, out}) close(file);
}

}  // namespace
}  // namespace sekisho::slowpath
