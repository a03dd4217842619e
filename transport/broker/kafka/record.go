package kafka

import (
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"
)

const headerID = "renkei-id" // the message's UUID; the other headers are its metadata

func encode(topic string, partition int, key string, msg *message.Message) *kgo.Record {
	headers := make([]kgo.RecordHeader, 0, len(msg.Metadata)+1)
	headers = append(headers, kgo.RecordHeader{Key: headerID, Value: []byte(msg.UUID)})
	for name, value := range msg.Metadata {
		headers = append(headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	return &kgo.Record{Topic: topic, Partition: int32(partition), Key: []byte(key), Value: msg.Payload, Headers: headers}
}

// decode never fails: what does not come from here has no metadata, and the router puts it aside as no event.
func decode(record *kgo.Record) *message.Message {
	msg := message.NewMessage(fmt.Sprintf("%s/%d/%d", record.Topic, record.Partition, record.Offset), record.Value)
	for _, header := range record.Headers {
		if header.Key == headerID {
			msg.UUID = string(header.Value)
		} else {
			msg.Metadata[header.Key] = string(header.Value)
		}
	}
	return msg
}
