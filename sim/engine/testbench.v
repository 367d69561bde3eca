// The host and the DRAM of module `stillflow`, for Icarus Verilog: 4-state.
//
// The DRAM does to the cycle what dram.hpp specifies; what is X in it is reported. Its content is a
// file that is open only while the clock runs: between commands it is the host's. A command is a
// line on standard input, a letter and up to three hexadecimal numbers; see `obey`. It is answered
// by a line on standard output; see ANSWER. The simulation ends with "q" or with standard input.
//
// Payloads without valid are X: nothing in the core may depend on them.
`timescale 1ns / 1ps

module stillflow_testbench;
  parameter BEAT = 8;  // bytes
  localparam BITS = 8 * BEAT;
  localparam STDIN = 32'h8000_0000;
  localparam OKAY = 2'd0, SLVERR = 2'd2, DECERR = 2'd3;
  localparam FAULT_SLVERR = 2'd0, FAULT_DECERR = 2'd1, FAULT_SILENT = 2'd2, FAULT_NONE = 2'd3;
  localparam READ = 2'd0, WRITE = 2'd1, NEITHER = 2'd2;

  reg clk = 0, rst = 0;
  wire irq;

  reg [8:0] s_axil_awaddr, s_axil_araddr;
  reg [31:0] s_axil_wdata;
  reg s_axil_awvalid = 0, s_axil_wvalid = 0, s_axil_arvalid = 0;
  wire s_axil_awready, s_axil_wready, s_axil_bvalid, s_axil_arready, s_axil_rvalid;
  wire [1:0] s_axil_bresp, s_axil_rresp;
  wire [31:0] s_axil_rdata;

  wire [31:0] m_axi_awaddr, m_axi_araddr;
  wire [7:0] m_axi_awlen, m_axi_arlen;
  wire [2:0] m_axi_awsize, m_axi_arsize, m_axi_awprot, m_axi_arprot;
  wire [1:0] m_axi_awburst, m_axi_arburst;
  wire [3:0] m_axi_awcache, m_axi_arcache;
  wire m_axi_awid, m_axi_arid, m_axi_awvalid, m_axi_arvalid;
  reg m_axi_awready = 1, m_axi_arready = 1, m_axi_wready = 1;
  wire [BITS-1:0] m_axi_wdata;
  wire [BEAT-1:0] m_axi_wstrb;
  wire m_axi_wlast, m_axi_wvalid, m_axi_rready, m_axi_bready;
  reg [BITS-1:0] m_axi_rdata;
  reg [1:0] m_axi_rresp, m_axi_bresp;
  reg m_axi_rlast, m_axi_rid, m_axi_bid;
  reg m_axi_rvalid = 0, m_axi_bvalid = 0;

  stillflow stillflow (
    .clk(clk), .rst(rst), .irq(irq),
    .s_axil_awaddr(s_axil_awaddr), .s_axil_awprot(3'd0),
    .s_axil_awvalid(s_axil_awvalid), .s_axil_awready(s_axil_awready),
    .s_axil_wdata(s_axil_wdata), .s_axil_wstrb(4'd15),
    .s_axil_wvalid(s_axil_wvalid), .s_axil_wready(s_axil_wready),
    .s_axil_bresp(s_axil_bresp), .s_axil_bvalid(s_axil_bvalid), .s_axil_bready(1'b1),
    .s_axil_araddr(s_axil_araddr), .s_axil_arprot(3'd0),
    .s_axil_arvalid(s_axil_arvalid), .s_axil_arready(s_axil_arready),
    .s_axil_rdata(s_axil_rdata), .s_axil_rresp(s_axil_rresp),
    .s_axil_rvalid(s_axil_rvalid), .s_axil_rready(1'b1),
    .m_axi_awid(m_axi_awid), .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen),
    .m_axi_awsize(m_axi_awsize), .m_axi_awburst(m_axi_awburst), .m_axi_awcache(m_axi_awcache),
    .m_axi_awprot(m_axi_awprot), .m_axi_awvalid(m_axi_awvalid), .m_axi_awready(m_axi_awready),
    .m_axi_wdata(m_axi_wdata), .m_axi_wstrb(m_axi_wstrb), .m_axi_wlast(m_axi_wlast),
    .m_axi_wvalid(m_axi_wvalid), .m_axi_wready(m_axi_wready),
    .m_axi_bid(m_axi_bid), .m_axi_bresp(m_axi_bresp),
    .m_axi_bvalid(m_axi_bvalid), .m_axi_bready(m_axi_bready),
    .m_axi_arid(m_axi_arid), .m_axi_araddr(m_axi_araddr), .m_axi_arlen(m_axi_arlen),
    .m_axi_arsize(m_axi_arsize), .m_axi_arburst(m_axi_arburst), .m_axi_arcache(m_axi_arcache),
    .m_axi_arprot(m_axi_arprot), .m_axi_arvalid(m_axi_arvalid), .m_axi_arready(m_axi_arready),
    .m_axi_rid(m_axi_rid), .m_axi_rdata(m_axi_rdata), .m_axi_rresp(m_axi_rresp),
    .m_axi_rlast(m_axi_rlast), .m_axi_rvalid(m_axi_rvalid), .m_axi_rready(m_axi_rready)
  );

  // -- what went wrong ----------------------------------------------------------------------------

  string failure = "";  // the first thing that the core did wrong
  reg failed = 0;

  task fail(input string message);
    if (!failed) begin
      failed = 1;
      failure = message;
    end
  endtask

  task unless_known(input value, input string name);  // the value is the parity of the signal
    if (^value === 1'bx) fail({name, " is X"});
  endtask

  task check_pins;
    begin
      if (^{irq, m_axi_arvalid, m_axi_awvalid, m_axi_wvalid, m_axi_rready, m_axi_bready,
            s_axil_awready, s_axil_wready, s_axil_bvalid, s_axil_arready, s_axil_rvalid} === 1'bx)
      begin
        unless_known(irq, "irq");
        unless_known(m_axi_arvalid, "m_axi_arvalid");
        unless_known(m_axi_awvalid, "m_axi_awvalid");
        unless_known(m_axi_wvalid, "m_axi_wvalid");
        unless_known(m_axi_rready, "m_axi_rready");
        unless_known(m_axi_bready, "m_axi_bready");
        unless_known(s_axil_awready, "s_axil_awready");
        unless_known(s_axil_wready, "s_axil_wready");
        unless_known(s_axil_bvalid, "s_axil_bvalid");
        unless_known(s_axil_arready, "s_axil_arready");
        unless_known(s_axil_rvalid, "s_axil_rvalid");
      end
      if (m_axi_arvalid) check_request("m_axi_ar", ^m_axi_araddr, ^m_axi_arlen, ^m_axi_arsize,
                                       ^m_axi_arburst, ^{m_axi_arcache, m_axi_arprot}, m_axi_arid);
      if (m_axi_awvalid) check_request("m_axi_aw", ^m_axi_awaddr, ^m_axi_awlen, ^m_axi_awsize,
                                       ^m_axi_awburst, ^{m_axi_awcache, m_axi_awprot}, m_axi_awid);
      if (m_axi_wvalid) check_write_data;
      if (s_axil_bvalid) unless_known(^s_axil_bresp, "s_axil_bresp");
      if (s_axil_rvalid) begin
        unless_known(^s_axil_rresp, "s_axil_rresp");
        if (s_axil_rresp == OKAY) unless_known(^s_axil_rdata, "s_axil_rdata");
      end
    end
  endtask

  task check_request(input string channel, input address, input length, input size, input burst,
                     input attributes, input id);
    if (^{address, length, size, burst, attributes, id} === 1'bx) begin
      unless_known(address, {channel, "addr"});
      unless_known(length, {channel, "len"});
      unless_known(size, {channel, "size"});
      unless_known(burst, {channel, "burst"});
      unless_known(attributes, {channel, "cache or prot"});
      unless_known(id, {channel, "id"});
    end
  endtask

  task check_write_data;
    integer lane;
    begin
      unless_known(m_axi_wlast, "m_axi_wlast");
      unless_known(^m_axi_wstrb, "m_axi_wstrb");
      if (^m_axi_wdata === 1'bx)
        for (lane = 0; lane < BEAT; lane = lane + 1)
          if (m_axi_wstrb[lane])
            unless_known(^m_axi_wdata[8*lane+:8],
                         $sformatf("m_axi_wdata[%0d:%0d] in write beat %0d", 8 * lane + 7, 8 * lane,
                                   traffic_write_beats));
    end
  endtask

  // -- the DRAM's content -------------------------------------------------------------------------

  reg [8*4096-1:0] memory_path;
  reg [63:0] memory_bytes;
  integer memory_file;

  task seek(input [63:0] address);
    integer done;
    if (address[31]) begin  // further than one signed number goes
      done = $fseek(memory_file, address >> 1, 0);
      done = $fseek(memory_file, address - (address >> 1), 1);
    end else done = $fseek(memory_file, address, 0);
  endtask

  task read_memory(input [63:0] address, output [BITS-1:0] data);
    reg [BITS-1:0] bytes;  // the first is the highest
    integer done, lane;
    begin
      seek(address);
      done = $fread(bytes, memory_file);
      for (lane = 0; lane < BEAT; lane = lane + 1)
        data[8*lane+:8] = bytes[BITS-8-8*lane+:8];
    end
  endtask

  task write_memory(input [63:0] address, input [BITS-1:0] data, input [BEAT-1:0] strobe);
    reg [BITS-1:0] merged;
    integer lane;
    if (strobe != 0) begin
      if (!(&strobe)) begin
        read_memory(address, merged);
        for (lane = 0; lane < BEAT; lane = lane + 1)
          if (strobe[lane]) merged[8*lane+:8] = data[8*lane+:8];
      end else merged = data;
      seek(address);
      $fwrite(memory_file, "%u", merged);
    end
  endtask

  // -- the DRAM -----------------------------------------------------------------------------------

  reg [63:0] latency, rate, account_limit;
  reg [63:0] now = 0, account = 0;
  reg [105:0] reads[$];  // due, address, beats, id: bursts
  reg [41:0] writes[$];  // address, beats, id
  reg [34:0] read_beats[$];  // address, last, id: moved, not yet taken by the core
  reg [BITS+BEAT:0] write_beats[$];  // data, strobe, last: given by the core, not yet moved
  reg [66:0] acks[$];  // due, response, id
  reg [66:0] faults[$];  // kind, channel, index
  reg [8:0] reads_moved = 0, writes_moved = 0;  // beats of the bursts in front
  reg [1:0] write_response = OKAY, owner = NEITHER;  // owner: whose burst has begun
  reg read_offered = 0, ack_offered = 0;
  reg stalling;
  reg [63:0] random;
  reg [31:0] stall_ar, stall_aw, stall_w, stall_r, stall_b;  // in units of 2**-32
  reg waiting_ar = 0, waiting_aw = 0, waiting_w = 0;
  reg [39:0] held_ar, held_aw;
  reg [BITS+BEAT:0] held_w;
  reg [63:0] traffic_read_bursts, traffic_read_beats, traffic_write_bursts, traffic_write_beats;
  reg [63:0] traffic_acknowledged;

  task forget;
    begin
      reads.delete();
      writes.delete();
      read_beats.delete();
      write_beats.delete();
      acks.delete();
      faults.delete();
      reads_moved = 0;
      writes_moved = 0;
      write_response = OKAY;
      owner = NEITHER;
      read_offered = 0;
      ack_offered = 0;
      drive_idle;
      waiting_ar = 0;
      waiting_aw = 0;
      waiting_w = 0;
      traffic_read_bursts = 0;
      traffic_read_beats = 0;
      traffic_write_bursts = 0;
      traffic_write_beats = 0;
      traffic_acknowledged = 0;
      failed = 0;
      failure = "";
    end
  endtask

  task drive_idle;  // what the DRAM does not offer
    begin
      m_axi_rvalid = read_offered;
      m_axi_bvalid = ack_offered;
      if (!read_offered) {m_axi_rdata, m_axi_rresp, m_axi_rlast, m_axi_rid} = {BITS + 4{1'bx}};
      if (!ack_offered) {m_axi_bresp, m_axi_bid} = 3'bx;
    end
  endtask

  task find_fault(input [1:0] channel, input [63:0] index, output [1:0] kind);
    integer i;
    reg [66:0] fault;
    begin
      kind = FAULT_NONE;
      for (i = faults.size() - 1; i >= 0; i = i - 1) begin  // the first one counts
        fault = faults[i];
        if (fault[64:0] == {channel[0], index}) kind = fault[66:65];
      end
    end
  endtask

  function [1:0] response(input [1:0] fault, input [1:0] otherwise);
    response = fault == FAULT_SLVERR ? SLVERR : fault == FAULT_DECERR ? DECERR : otherwise;
  endfunction

  task draw(input [31:0] threshold, output held);
    begin
      random = random * 64'd6364136223846793005 + 64'd1442695040888963407;
      held = random[63:32] < threshold;
    end
  endtask

  task move_read;
    reg [63:0] due, place;
    reg [31:0] address;
    reg [8:0] beats;
    reg id, last;
    begin
      {due, address, beats, id} = reads[0];
      place = address + reads_moved * BEAT;
      reads_moved = reads_moved + 1;
      last = reads_moved == beats;
      read_beats.push_back({place[32:0], last, id});
      if (last) begin
        reads_moved = 0;
        {due, address, beats, id} = reads.pop_front();
      end
    end
  endtask

  task move_write;
    reg [63:0] place;
    reg [31:0] address;
    reg [8:0] beats;
    reg id, last, marked;
    reg [BITS-1:0] data;
    reg [BEAT-1:0] strobe;
    begin
      {address, beats, id} = writes[0];
      {data, strobe, marked} = write_beats.pop_front();
      place = address + writes_moved * BEAT;
      writes_moved = writes_moved + 1;
      last = writes_moved == beats;
      if (marked != last)
        fail($sformatf("wlast is %0d in beat %0d of %0d of the write burst at 0x%08x", marked,
                       writes_moved, beats, address));
      if (place + BEAT > memory_bytes) write_response = DECERR;
      else write_memory(place, data, strobe);
      if (last) begin
        acks.push_back({now + latency - 64'd1, write_response, id});
        {address, beats, id} = writes.pop_front();
        writes_moved = 0;
        write_response = OKAY;
      end
    end
  endtask

  task move;
    reg [105:0] front;
    reg can_read, can_write, turn;
    begin
      account = account + rate > account_limit ? account_limit : account + rate;
      if (reads.size() != 0 || write_beats.size() != 0) begin
        can_read = 0;
        if (reads.size() != 0) begin
          front = reads[0];
          can_read = front[105:42] <= now;
        end
        can_write = writes.size() != 0 && write_beats.size() != 0;
        turn = owner == NEITHER ? can_write : owner == WRITE;
        repeat (2) begin
          if ((turn ? can_write : can_read) && account >= BEAT) begin
            account = account - BEAT;
            if (turn) move_write;
            else move_read;
          end
          turn = !turn;
        end
        if (owner == NEITHER || (owner == WRITE ? writes_moved : reads_moved) == 0)
          owner = writes_moved != 0 ? WRITE : reads_moved != 0 ? READ : NEITHER;
      end
    end
  endtask

  task present_read;
    reg [32:0] address;
    reg [1:0] kind;
    reg last, id;
    begin
      find_fault(READ, traffic_read_beats, kind);
      if (kind != FAULT_SILENT) begin
        {address, last, id} = read_beats[0];
        if (address + BEAT <= memory_bytes) begin
          read_memory(address, m_axi_rdata);
          m_axi_rresp = response(kind, OKAY);
        end else begin
          m_axi_rdata = 0;
          m_axi_rresp = response(kind, DECERR);
        end
        m_axi_rlast = last;
        m_axi_rid = id;
        read_offered = 1;
      end
    end
  endtask

  task present_ack;
    reg [63:0] due;
    reg [1:0] kind, stored;
    reg id;
    begin
      {due, stored, id} = acks[0];
      find_fault(WRITE, traffic_acknowledged, kind);
      if (due <= now && kind != FAULT_SILENT) begin
        m_axi_bresp = response(kind, stored);
        m_axi_bid = id;
        ack_offered = 1;
      end
    end
  endtask

  // Beginning of a cycle: move data and drive the core's inputs.
  task begin_cycle;
    reg ar, aw, w, r, b;
    begin
      move;
      {r, b} = 2'd0;
      if (stalling) begin
        draw(stall_ar, ar);
        draw(stall_aw, aw);
        draw(stall_w, w);
        draw(stall_r, r);
        draw(stall_b, b);
        {m_axi_arready, m_axi_awready, m_axi_wready} = ~{ar, aw, w};
      end
      if (!read_offered && !r && read_beats.size() != 0) present_read;
      if (!ack_offered && !b && acks.size() != 0) present_ack;
      drive_idle;
    end
  endtask

  task check_burst(input string name, input [31:0] address, input [7:0] length, input [2:0] size,
                   input [1:0] kind, output [31:0] start);
    begin
      start = address & ~(BEAT - 1);
      if (kind != 1)
        fail($sformatf("%s burst at 0x%08x is of type %0d, not INCR", name, address, kind));
      if (32'd1 << size != BEAT)
        fail($sformatf("%s burst at 0x%08x has beats of %0d bytes, not %0d", name, address,
                       32'd1 << size, BEAT));
      if ({20'd0, start[11:0]} + (length + 32'd1) * BEAT > 4096)
        fail($sformatf("%s burst at 0x%08x crosses 4 KiB with %0d beats", name, address,
                       length + 32'd1));
    end
  endtask

  // What the core offered while ready was low must stay.
  task check_held;
    begin
      if (waiting_ar && !(m_axi_arvalid && held_ar === {m_axi_araddr, m_axi_arlen}))
        fail("arvalid or its payload changed before arready");
      if (waiting_aw && !(m_axi_awvalid && held_aw === {m_axi_awaddr, m_axi_awlen}))
        fail("awvalid or its payload changed before awready");
      if (waiting_w && !(m_axi_wvalid && held_w === {m_axi_wdata, m_axi_wstrb, m_axi_wlast}))
        fail("wvalid or its payload changed before wready");
      waiting_ar = m_axi_arvalid && !m_axi_arready;
      waiting_aw = m_axi_awvalid && !m_axi_awready;
      waiting_w = m_axi_wvalid && !m_axi_wready;
      held_ar = {m_axi_araddr, m_axi_arlen};
      held_aw = {m_axi_awaddr, m_axi_awlen};
      held_w = {m_axi_wdata, m_axi_wstrb, m_axi_wlast};
    end
  endtask

  // End of a cycle, before the clock edge: take what the core offers.
  task end_cycle;
    reg [31:0] start;
    reg [34:0] beat;
    reg [66:0] ack;
    begin
      check_pins;
      if (stalling) check_held;
      if (m_axi_arvalid && m_axi_arready) begin
        check_burst("read", m_axi_araddr, m_axi_arlen, m_axi_arsize, m_axi_arburst, start);
        reads.push_back({now + latency, start, {1'b0, m_axi_arlen} + 9'd1, m_axi_arid});
        traffic_read_bursts = traffic_read_bursts + 1;
      end
      if (m_axi_awvalid && m_axi_awready) begin
        check_burst("write", m_axi_awaddr, m_axi_awlen, m_axi_awsize, m_axi_awburst, start);
        writes.push_back({start, {1'b0, m_axi_awlen} + 9'd1, m_axi_awid});
        traffic_write_bursts = traffic_write_bursts + 1;
      end
      if (m_axi_wvalid && m_axi_wready) begin
        write_beats.push_back({m_axi_wdata, m_axi_wstrb, m_axi_wlast});
        traffic_write_beats = traffic_write_beats + 1;
      end
      if (read_offered && m_axi_rready) begin
        read_offered = 0;
        beat = read_beats.pop_front();
        traffic_read_beats = traffic_read_beats + 1;
      end
      if (ack_offered && m_axi_bready) begin
        ack_offered = 0;
        ack = acks.pop_front();
        traffic_acknowledged = traffic_acknowledged + 1;
      end
      now = now + 1;
    end
  endtask

  // -- the host -----------------------------------------------------------------------------------

  reg [63:0] cycles = 0;
  reg irq_seen = 0, stopped = 1;  // stopped: by the design, unless `obey` says otherwise
  reg aw_taken = 1, w_taken = 1, ar_taken = 1, writing = 0;
  reg [31:0] offset;
  bit [31:0] value;
  int result;  // a command's: an AXI response, cycles, or -1

  task drive_host;
    begin
      s_axil_awvalid = !aw_taken;
      s_axil_wvalid = !w_taken;
      s_axil_arvalid = !ar_taken;
      s_axil_awaddr = aw_taken ? 9'bx : offset;
      s_axil_wdata = w_taken ? 32'bx : value;
      s_axil_araddr = ar_taken ? 9'bx : offset;
    end
  endtask

  task cycle;
    begin
      clk = 0;
      begin_cycle;
      drive_host;
      #5;
      end_cycle;
      irq_seen = irq;
      if (s_axil_awready) aw_taken = 1;
      if (s_axil_wready) w_taken = 1;
      if (s_axil_arready) ar_taken = 1;
      if (writing && s_axil_bvalid) result = s_axil_bresp;
      if (!writing && s_axil_rvalid) begin
        result = s_axil_rresp;
        value = s_axil_rdata;
      end
      clk = 1;
      #5 cycles = cycles + 1;
    end
  endtask

  task reset(input [63:0] length);
    begin
      forget;
      {aw_taken, w_taken, ar_taken} = 3'b111;
      drive_host;
      rst = 1;
      repeat (length) begin
        clk = 0;
        #5 clk = 1;
        #5;
      end
      rst = 0;
      irq_seen = 0;
    end
  endtask

  task access(input is_write, input [63:0] limit);
    reg [63:0] i;
    begin
      result = -1;
      writing = is_write;
      {aw_taken, w_taken, ar_taken} = {!is_write, !is_write, is_write};
      for (i = 0; i < limit && result < 0 && !failed; i = i + 1) cycle;
      {aw_taken, w_taken, ar_taken} = 3'b111;
    end
  endtask

  task run(input until_irq, input [63:0] limit);
    reg [63:0] i;
    integer taken;
    begin
      taken = -1;
      for (i = 0; i < limit && taken < 0 && !failed; i = i + 1) begin
        cycle;
        if (until_irq && irq_seen) taken = i + 1;
      end
      result = taken;
    end
  endtask

// No task: at the end of the simulation those do not run.
`define ANSWER \
  $display("\n@stillflow %0d %0d %0d %b %b %0d %0d %0d %0d %0d %s", result, value, cycles, \
           irq_seen === 1'b1, stopped, traffic_read_bursts, traffic_read_beats, \
           traffic_write_bursts, traffic_write_beats, traffic_acknowledged, failure);

  task obey(input [7:0] command, input [63:0] a, input [63:0] b, input [63:0] c);
    begin
      memory_file = $fopen(memory_path, "r+b");
      offset = a;
      value = b;
      result = 0;
      case (command)
        "b": value = $bits(stillflow.m_axi_rdata);
        "z": reset(a);
        "s": run(0, a);
        "u": run(1, a);
        "w": access(1, c);
        "r": access(0, c);
        "i": faults.push_back({a[1:0], b[0], c});
        "c": faults.delete();
      endcase
      $fclose(memory_file);
    end
  endtask

  reg [8*100-1:0] line;
  reg [7:0] command;
  reg [63:0] a, b, c;
  reg [8*4096-1:0] wave_path;
  integer count;

  initial begin
    count = $value$plusargs("memory=%s", memory_path);
    count = $value$plusargs("bytes=%d", memory_bytes);
    count = $value$plusargs("latency=%d", latency);
    count = $value$plusargs("rate=%d", rate);
    account_limit = BEAT + rate - 1;
    account = account_limit;
    stalling = $value$plusargs("seed=%d", random);
    count = $value$plusargs("ar=%d", stall_ar);
    count = $value$plusargs("aw=%d", stall_aw);
    count = $value$plusargs("w=%d", stall_w);
    count = $value$plusargs("r=%d", stall_r);
    count = $value$plusargs("b=%d", stall_b);
    if ($value$plusargs("wave=%s", wave_path)) begin
      $dumpfile(wave_path);
      $dumpvars(0, stillflow);
    end
    command = 0;
    while (command != "q" && $fgets(line, STDIN) != 0) begin
      {a, b, c} = 192'd0;
      count = $sscanf(line, "%c %h %h %h", command, a, b, c);
      obey(command, a, b, c);
      stopped = 0;
      `ANSWER
      $fflush;
      stopped = 1;
    end
    stopped = 0;
    $finish;
  end

  final if (stopped) `ANSWER
endmodule
