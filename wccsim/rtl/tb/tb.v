// tb: runs wcc_top on one exported set and writes what every stage produced, in the set's own formats.
//
// The clock comes from outside: tb/clock.v under Icarus, tb/main.cpp under Verilator. Inputs are the
// set's files in the current folder; outputs are got_<stage>.hex there, one word a line, and
// got_cycles.txt. Formats: docs/rtl.md. Nothing is compared here.
`include "p.vh"
module tb (
    input wire clk
);
    localparam C = `WCC_CHANNELS, CO = `WCC_OUT_CHANNELS, H = `WCC_HEIGHT, W = `WCC_WIDTH;
    localparam HP = `WCC_PADDED_HEIGHT, WP = `WCC_PADDED_WIDTH, N = HP * WP, K = `WCC_KEPT, L = `WCC_LEVELS;
    localparam P = `WCC_P, Q = `WCC_Q, NW = `WCC_POSITION_BITS, IW = `WCC_INVERSE_BITS, YW = `WCC_WAVELET_BITS;
    localparam IB = `WCC_IN_BITS, CW = `WCC_COEFFICIENT_BITS, AB = `WCC_ACT_BITS, WB = `WCC_WEIGHT_BITS;
    localparam GROUPS = (C + P - 1) / P;

    reg [IB-1:0] x [0:C*H*W-1];
    reg [WB-1:0] weights [0:CO*C-1];
    reg [39:0]   r1 [0:0];                 // shift in bits 39..32, multiplier below
    reg [39:0]   r2 [0:CO-1];
    reg [39:0]   r3 [0:CO-1];
    reg [31:0]   biases [0:CO-1];
    reg [31:0]   got_acc [0:CO*K-1];
    reg [YW-1:0] got_y [0:CO*K-1];
    reg [7:0]    got_out [0:CO*H*W-1];
    initial begin
        $readmemh("x.hex", x);
        $readmemh("weights.hex", weights);
        $readmemh("r1.hex", r1);
        $readmemh("r2.hex", r2);
        $readmemh("r3.hex", r3);
        $readmemh("bias.hex", biases);
    end

    reg  [3:0] boot = 4'd0;                // reset for four cycles, then start for one
    wire reset = boot < 4'd4;
    wire start = boot == 4'd5;
    wire done;
    wire [`WCC_IN_GROUP_BITS-1:0]  x_group, w_group;
    wire [`WCC_OUT_GROUP_BITS-1:0] out_group;
    wire [NW-1:0] x_row, x_column, acc_index, out_row, out_column;
    reg  [P*IB-1:0] x_a, x_b, x_c, x_d;
    reg  [P*Q*WB-1:0] weight;
    reg  [Q*31-1:0] r2_multiplier, r3_multiplier;
    reg  [Q*7-1:0] r2_shift, r3_shift;
    reg  [Q*IW-1:0] bias;
    wire acc_valid, out_valid;
    wire [Q*32-1:0] acc;
    wire [Q*YW-1:0] y;
    reg  [NW-1:0] bitmap_address;
    wire [31:0] bitmap_data;
    wire [3:0] out_inside;
    wire [Q*8-1:0] out_a, out_b, out_c, out_d;
    wire [31:0] cycles_haar, cycles_select, cycles_gather, cycles_mac, cycles_inverse;
    wcc_top dut (
        .clk(clk), .reset(reset), .start(start), .done(done),
        .x_group(x_group), .x_row(x_row), .x_column(x_column), .x_a(x_a), .x_b(x_b), .x_c(x_c), .x_d(x_d),
        .out_group(out_group), .w_group(w_group), .weight(weight),
        .r1_multiplier(r1[0][30:0]), .r1_shift(r1[0][38:32]),
        .r2_multiplier(r2_multiplier), .r2_shift(r2_shift), .r3_multiplier(r3_multiplier), .r3_shift(r3_shift),
        .bias(bias), .acc_valid(acc_valid), .acc_index(acc_index), .acc(acc), .y(y),
        .bitmap_address(bitmap_address), .bitmap_data(bitmap_data),
        .out_valid(out_valid), .out_row(out_row), .out_column(out_column), .out_inside(out_inside),
        .out_a(out_a), .out_b(out_b), .out_c(out_c), .out_d(out_d),
        .cycles_haar(cycles_haar), .cycles_select(cycles_select), .cycles_gather(cycles_gather),
        .cycles_mac(cycles_mac), .cycles_inverse(cycles_inverse));

    // The memories around the unit. What lies outside them answers all ones: the unit must not use it.
    function [IB-1:0] pixel(input integer c, input integer r, input integer s);
        pixel = (c < C && r < H && s < W) ? x[(c*H + r)*W + s] : {IB{1'b1}};
    endfunction
    // They answer in the middle of the cycle, when the addresses stand.
    integer i, o;
    always @(negedge clk) begin
        for (i = 0; i < P; i = i + 1) begin
            x_a[i*IB +: IB] = pixel(x_group*P + i, 2*x_row, 2*x_column);
            x_b[i*IB +: IB] = pixel(x_group*P + i, 2*x_row, 2*x_column + 1);
            x_c[i*IB +: IB] = pixel(x_group*P + i, 2*x_row + 1, 2*x_column);
            x_d[i*IB +: IB] = pixel(x_group*P + i, 2*x_row + 1, 2*x_column + 1);
        end
    end
    always @(negedge clk) begin
        for (o = 0; o < Q; o = o + 1) begin
            r2_multiplier[o*31 +: 31] = r2[channel(o)][30:0];
            r2_shift[o*7 +: 7] = r2[channel(o)][38:32];
            r3_multiplier[o*31 +: 31] = r3[channel(o)][30:0];
            r3_shift[o*7 +: 7] = r3[channel(o)][38:32];
            bias[o*IW +: IW] = biases[channel(o)][IW-1:0];
        end
    end
    integer wi, wo;
    always @(negedge clk) begin
        for (wo = 0; wo < Q; wo = wo + 1)
            for (wi = 0; wi < P; wi = wi + 1)
                weight[(wo*P + wi)*WB +: WB] =
                    (w_group*P + wi < C) ? weights[channel(wo)*C + w_group*P + wi] : {WB{1'b1}};
    end
    function integer channel(input integer lane);      // the last group's idle lanes repeat the last channel
        channel = (out_group*Q + lane < CO) ? out_group*Q + lane : CO - 1;
    endfunction

    integer lane;
    always @(posedge clk) begin
        if (boot != 4'd6) boot <= boot + 4'd1;
        if (!reset && acc_valid)
            for (lane = 0; lane < Q; lane = lane + 1)
                if (out_group*Q + lane < CO) begin
                    got_acc[(out_group*Q + lane)*K + acc_index] = acc[lane*32 +: 32];
                    got_y[(out_group*Q + lane)*K + acc_index] = y[lane*YW +: YW];
                end
        if (!reset && out_valid)
            for (lane = 0; lane < Q; lane = lane + 1)
                if (out_group*Q + lane < CO) begin
                    if (out_inside[3]) got_out[pixel_at(lane, 0, 0)] = out_a[lane*8 +: 8];
                    if (out_inside[2]) got_out[pixel_at(lane, 0, 1)] = out_b[lane*8 +: 8];
                    if (out_inside[1]) got_out[pixel_at(lane, 1, 0)] = out_c[lane*8 +: 8];
                    if (out_inside[0]) got_out[pixel_at(lane, 1, 1)] = out_d[lane*8 +: 8];
                end
        if (!reset && done) begin
            write_everything;
            $finish;
        end
    end
    function integer pixel_at(input integer which, input integer dr, input integer dc);
        pixel_at = ((out_group*Q + which)*H + 2*out_row + dr)*W + 2*out_column + dc;
    endfunction

    // Flat order: level and band of a position, then the address in that band's memory.
    integer file, c, r, s, l, first, n, k, band;
    reg [CW-1:0] coefficient;
    task locate(input integer row, input integer column);
        begin
            l = 0;
            first = 0;
            band = 0;
            while (band == 0 && l < L) begin
                l = l + 1;
                band = (row >= (HP >> l) ? 2 : 0) + (column >= (WP >> l) ? 1 : 0);
                if (band == 0) first = first + (N >> (2*l));
            end
            n = (band == 0) ? row * (WP >> L) + column
                : first + (row % (HP >> l)) * (WP >> l) + column % (WP >> l);
        end
    endtask
    task write_everything;
        begin
            file = $fopen("got_coefficients.hex", "w");
            for (c = 0; c < C; c = c + 1) for (r = 0; r < HP; r = r + 1) for (s = 0; s < WP; s = s + 1) begin
                locate(r, s);
                if (band == 0) coefficient = dut.coefficient_ll[(c/P)*dut.NL + n][(c%P)*CW +: CW];
                else if (band == 1) coefficient = dut.coefficient_lh[(c/P)*dut.BLOCKS + n][(c%P)*CW +: CW];
                else if (band == 2) coefficient = dut.coefficient_hl[(c/P)*dut.BLOCKS + n][(c%P)*CW +: CW];
                else coefficient = dut.coefficient_hh[(c/P)*dut.BLOCKS + n][(c%P)*CW +: CW];
                $fdisplay(file, "%h", coefficient);
            end
            $fclose(file);
            file = $fopen("got_energy.hex", "w");
            for (r = 0; r < HP; r = r + 1) for (s = 0; s < WP; s = s + 1) begin
                locate(r, s);
                $fdisplay(file, "%h", band == 0 ? dut.score_ll[n] : band == 1 ? dut.score_lh[n]
                                    : band == 2 ? dut.score_hl[n] : dut.score_hh[n]);
            end
            $fclose(file);
            file = $fopen("got_bitmap.hex", "w");
            for (r = 0; r < (N + 31) / 32; r = r + 1) $fdisplay(file, "%h", dut.bitmap[r]);
            $fclose(file);
            file = $fopen("got_q.hex", "w");
            for (c = 0; c < C; c = c + 1) for (k = 0; k < K; k = k + 1)
                $fdisplay(file, "%h", dut.kept[(c/P)*K + k][(c%P)*AB +: AB]);
            $fclose(file);
            file = $fopen("got_acc.hex", "w");
            for (c = 0; c < CO*K; c = c + 1) $fdisplay(file, "%h", got_acc[c]);
            $fclose(file);
            file = $fopen("got_y.hex", "w");
            for (c = 0; c < CO*K; c = c + 1) $fdisplay(file, "%h", got_y[c]);
            $fclose(file);
            file = $fopen("got_out.hex", "w");
            for (c = 0; c < CO*H*W; c = c + 1) $fdisplay(file, "%h", got_out[c]);
            $fclose(file);
            file = $fopen("got_cycles.txt", "w");
            $fdisplay(file, "haar %0d\nselect %0d\ngather %0d\nmac %0d\ninverse %0d",
                cycles_haar, cycles_select, cycles_gather, cycles_mac, cycles_inverse);
            $fclose(file);
        end
    endtask
    initial bitmap_address = {NW{1'b0}};
    /* verilator lint_off UNUSED */
    wire unused = &{1'b0, bitmap_data, GROUPS[0]};
    /* verilator lint_on UNUSED */
endmodule
