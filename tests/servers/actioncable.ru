# Action Cable of Rails without the rest of Rails, run by puma.
# It takes orders over HTTP: POST /order with {"publish": {"room", "text"}}, {"tokens": [...]}, {"disconnect": BOOL}
# (whether a client shall come back), {"hold": true} or {"release": true}.

require "logger"
require "json"
require "action_cable"

TOKENS = []
GATE = Queue.new
HELD = []

module ApplicationCable
  class Connection < ActionCable::Connection::Base
    identified_by :name

    def connect
      GATE.pop unless HELD.empty?
      self.name = "someone"
      reject_unauthorized_connection unless TOKENS.empty? || TOKENS.include?(request.params["token"])
    end
  end
end

class RoomChannel < ActionCable::Channel::Base
  def subscribed
    params["room"] == "secret" ? reject : stream_from("room:#{params["room"]}")
  end

  def echo(data)
    transmit({ id: data["id"], echo: data["text"] })
  end
end

config = ActionCable.server.config
config.logger = Logger.new($stderr, level: :warn)
config.cable = { "adapter" => "async" }
config.connection_class = -> { ApplicationCable::Connection }
config.allowed_request_origins = [/http:\/\/127\.0\.0\.1:\d+/]
config.mount_path = nil

orders = lambda do |env|
  order = JSON.parse(env["rack.input"].read)
  one = order["publish"]
  ActionCable.server.broadcast("room:#{one["room"]}", { text: one["text"] }) if one
  TOKENS.replace(order["tokens"]) if order["tokens"]
  GATE.clear.tap { HELD << true } if order["hold"]
  HELD.clear.tap { 100.times { GATE << true } } if order["release"]
  unless order["disconnect"].nil?
    ActionCable.server.connections.each { |it| it.close(reason: "remote", reconnect: order["disconnect"]) }
  end
  [200, { "Content-Type" => "application/json" }, ["{}"]]
end

run lambda { |env| env["PATH_INFO"] == "/order" ? orders.call(env) : ActionCable.server.call(env) }
